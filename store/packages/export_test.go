package packages

// AwaitSpare waits until the spare is there, or will not be.
func (p *Packages) AwaitSpare() { p.spares.Wait() }
