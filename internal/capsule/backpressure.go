package capsule

// Look makes the capsule ask Config.Full again.
func (c *Capsule) Look() { c.nudge() }

// hears reports whether events are to be taken out of the ring.
func (c *Capsule) hears() bool { return c.cfg.Full == nil || !c.cfg.Full() }
