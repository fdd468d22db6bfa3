package scheduler

import (
	"slices"
	"time"
)

// Offer is what one node offers. The node checks the jobs that it receives against it. It is safe
// for concurrent use.
type Offer struct {
	node   Node
	caps   *capabilities
	record record
}

// NewOffer takes id, capabilities, place and price from n. Errors match ErrNodeID, ErrCapabilities
// or ErrGeoHash.
func NewOffer(n Node) (*Offer, error) {
	n.Latency, n.Expires = 0, time.Unix(1, 0)
	if err := n.validate(time.Time{}); err != nil {
		return nil, err
	}
	o := &Offer{node: n, caps: newCapabilities()}
	o.record.id, o.record.cost = n.ID, n.CreditCost
	o.record.geo, _ = parseGeo(n.GeoHash)
	o.record.group = o.caps.acquire(n.Capabilities)
	return o, nil
}

// Refusal says why the node does not take a job with request r: the first requirement that the node
// does not meet. It is empty when the node meets all. Errors match ErrRequest.
func (o *Offer) Refusal(r Request) (string, error) {
	q := query{epoch: 1}
	if err := q.prepare(o.caps, &r, 0); err != nil {
		return "", err
	}
	n := o.record
	if slices.Contains(r.Exclude, n.id) {
		n.mark = q.epoch
	}
	for i := range requirements {
		if row := &requirements[i]; row.refusal != nil && row.misses(&q, &n) {
			return row.refusal(&o.node, &r), nil
		}
	}
	return "", nil
}
