package timer

import "time"

// after is the instant to dispatch next when all up to done are settled, the zero time if there is none.
func (s *Source) after(e *entry, done, now time.Time) time.Time {
	if s.o.Misfire != MisfireAll {
		return e.schedule.Next(later(now, done))
	}
	missed := s.instants(e, later(done, now.Add(-s.o.MaxLateness)), now, s.o.MaxMisfires)
	if len(missed) > 0 {
		return missed[0]
	}
	return e.schedule.Next(later(now, done))
}

// missed is the first instant to make up for when a trigger is taken up, zero if there is none. That it was dispatched in
// fact is found out by its checkpoint and its deduplication key.
func (s *Source) missed(e *entry, now time.Time) time.Time {
	keep := 1
	switch s.o.Misfire {
	case MisfireSkip:
		return time.Time{}
	case MisfireAll:
		keep = s.o.MaxMisfires
	}
	from := later(now.Add(-s.o.MaxLateness), e.trigger.ScheduledSince)
	if missed := s.instants(e, from, now, keep); len(missed) > 0 {
		return missed[0]
	}
	return time.Time{}
}

// instants are the latest so many after from and not after now, in order.
func (s *Source) instants(e *entry, from, now time.Time, keep int) []time.Time {
	var all []time.Time
	for t := e.schedule.Next(from); !t.IsZero() && !t.After(now); t = e.schedule.Next(t) {
		if all = append(all, t); len(all) >= 2*keep {
			all = append(all[:0], all[len(all)-keep:]...)
		}
	}
	return all[max(0, len(all)-keep):]
}
