package capsule

// Ending is closed as soon as the capsule will answer nothing any more: it was
// killed, has crashed or has returned. Done follows once its thread has ended,
// which can take a browser seconds.
func (c *Capsule) Ending() <-chan struct{} { return c.dead }
