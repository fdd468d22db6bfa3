//go:build unix

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"inos/internal/capsule"
	"inos/internal/mesh"
	"inos/internal/mesh/p2p"
	"inos/internal/submit"
	"inos/internal/wire"
)

// onScarce are attacks that take scarce resources without paying.
func onScarce() []nativeAttack {
	honestly := "honest jobs succeed, pings below 200ms"
	return []nativeAttack{
		{"six peers, 256 silent streams each", honestly, silent(6)},
		{"16 inputs of 100 MiB that drip", honestly + ", each ended within 25 s", drips},
		{"300 MiB of junk capsules", honestly, junk},
		{"30,000 jobs that come to nothing", fmt.Sprintf("the ledger's log within %d MiB (--ledger-log)", ledgerLog), fillsTheDisk},
	}
}

// unmannered is a libp2p host with a fresh key that ignores all limits, connected to the node.
func unmannered(ctx context.Context, a *arena) (host.Host, peer.ID, error) {
	h, err := libp2p.New(libp2p.NoListenAddrs, libp2p.ResourceManager(&network.NullResourceManager{}))
	if err != nil {
		return nil, "", err
	}
	info, err := peer.AddrInfoFromString(a.addr)
	if err == nil {
		err = h.Connect(ctx, *info)
	}
	if err != nil {
		return nil, "", errors.Join(err, h.Close())
	}
	return h, info.ID, nil
}

// silent is peers that open all the streams they can and send nothing on them.
func silent(peers int) func(context.Context, *arena) (string, bool, error) {
	return func(ctx context.Context, a *arena) (string, bool, error) {
		open := 0
		ids := []protocol.ID{p2p.JobProtocol, p2p.CapsuleProtocol, p2p.ProfileProtocol, ""}
		for range peers {
			h, node, err := unmannered(ctx, a)
			if err != nil {
				return "", false, err
			}
			defer h.Close()
			opening, cancel := context.WithTimeout(ctx, time.Second)
			for i := range 256 {
				s, err := h.Network().NewStream(opening, node)
				if err != nil {
					break
				}
				if id := ids[i%len(ids)]; id == "" {
					_, err = s.Write([]byte{19})
				} else {
					_, err = io.WriteString(s, "\x13/multistream/1.0.0\n"+string(byte(len(id)+1))+string(id)+"\n")
				}
				if err == nil {
					open++
				}
			}
			cancel()
		}
		return honestMeanwhile(ctx, a, fmt.Sprintf("%d streams", open))
	}
}

// honestMeanwhile runs good jobs of fresh peers during an attack.
func honestMeanwhile(ctx context.Context, a *arena, attack string) (string, bool, error) {
	const jobs = 3
	began := time.Now()
	for range jobs {
		if err := a.honest(ctx); err != nil {
			return attack, false, err
		}
	}
	took := time.Since(began)
	slowest, err := a.pinged()
	return fmt.Sprintf("%s; %d honest jobs in %v, slowest ping %v", attack, jobs, took.Round(10*time.Millisecond), slowest.Round(time.Millisecond)),
		slowest < slowestPing, err
}

// drips are jobs whose input comes a byte a second.
func drips(ctx context.Context, a *arena) (string, bool, error) {
	const jobs, length = 16, 100 << 20
	var longest time.Duration
	var mu sync.Mutex
	var dripping sync.WaitGroup
	for range jobs {
		b, err := newBuyer(ctx, a)
		if err != nil {
			return "", false, err
		}
		defer b.mesh.Close()
		h, node, err := unmannered(ctx, a)
		if err != nil {
			return "", false, err
		}
		defer h.Close()
		s, err := h.NewStream(ctx, node, p2p.JobProtocol)
		if err != nil {
			return "", false, err
		}
		if err := b.opens(s, length); err != nil {
			return "", false, err
		}
		began := time.Now()
		dripping.Go(func() {
			one, err := wire.EncodeJobFrame(wire.JobFrame{Input: []byte{1}})
			for err == nil && ctx.Err() == nil {
				pause(ctx, time.Second)
				err = writeFrame(s, one)
			}
			mu.Lock()
			longest = max(longest, time.Since(began))
			mu.Unlock()
		})
	}
	measured, held, err := honestMeanwhile(ctx, a, fmt.Sprintf("%d inputs", jobs))
	dripping.Wait()
	return fmt.Sprintf("%s; the last one ended after %v", measured, longest.Round(time.Second)), held && longest < 25*time.Second, err
}

// opens sends the frame that opens a job of b's with this length of input.
func (b *buyer) opens(s network.Stream, length uint64) error {
	now := time.Now()
	const lot = 1000
	sub, err := submit.New(submit.Order{Capsule: capsule.SumCID([]byte("none")), Budget: lot, Deadline: now.Add(10 * time.Minute),
		CreditLedgerID: string(b.signer.Ledger()), Module: "hostile", Device: b.signer.Peer()}, now)
	if err != nil {
		return err
	}
	job := sub.Job
	job.InputLength = length
	env, err := wire.WithJob(sub.Envelope, job)
	if err != nil {
		return err
	}
	envelope, err := wire.SendEnvelope(env, now)
	if err != nil {
		return err
	}
	_, voucher, err := b.signer.Issue(job.ID, b.node, lot, now.Add(10*time.Minute))
	if err != nil {
		return err
	}
	request, err := wire.EncodeJobFrame(wire.JobFrame{Request: &wire.JobRequest{Envelope: envelope, Voucher: voucher, Timeout: 10 * time.Minute}})
	if err != nil {
		return err
	}
	return writeFrame(s, request)
}

func writeFrame(s network.Stream, payload []byte) error {
	_, err := s.Write(append(binary.AppendUvarint(nil, uint64(len(payload))), payload...))
	return err
}

// junk are jobs of bytes that are no capsule, different ones each time.
func junk(ctx context.Context, a *arena) (string, bool, error) {
	const blobs, size = 300, 1 << 20
	b, err := newBuyer(ctx, a)
	if err != nil {
		return "", false, err
	}
	defer b.mesh.Close()
	began := time.Now()
	taken := 0
	for i := range blobs {
		bytes := make([]byte, size)
		binary.BigEndian.PutUint64(bytes, uint64(i))
		if b.library, err = b.shelve(); err != nil { // a single one would be full, as the node's is to be
			return "", false, err
		}
		blob, err := b.library.Seal("junk", bytes)
		if err == nil {
			err = b.library.Accept(blob)
		}
		if err != nil {
			return "", false, err
		}
		now := time.Now()
		sub, err := submit.New(submit.Order{Capsule: capsule.SumCID(bytes), Budget: 100, Deadline: now.Add(30 * time.Second),
			CreditLedgerID: string(b.signer.Ledger()), Module: "hostile", Device: b.signer.Peer()}, now)
		if err != nil {
			return "", false, err
		}
		_, voucher, err := b.signer.Issue(sub.Job.ID, b.node, 100, now.Add(time.Minute))
		if err != nil {
			return "", false, err
		}
		out, err := b.mesh.RunJob(ctx, b.node, mesh.JobCall{Envelope: sub.Envelope, Job: sub.Job, Voucher: voucher, Input: sub.Input}, nil)
		if err != nil {
			return "", false, err
		}
		if out.FetchedBytes == size {
			taken++
		}
	}
	return honestMeanwhile(ctx, a, fmt.Sprintf("%d taken in %v", taken, time.Since(began).Round(10*time.Millisecond)))
}
