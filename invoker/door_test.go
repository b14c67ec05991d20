package invoker

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"fcd/invoker/sandbox/ready"
)

func TestADoorServesTheConnectionsOfManyListeners(t *testing.T) {
	p, err := ready.New()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	d := newDoor(Service{Address: "127.100.0.1:80"}, p)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := d.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(c, "from %s", c.LocalAddr())
			c.Close()
		}
	})
	var ways []*doorway
	for range 3 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		w, err := d.open(ln.(listener))
		if err != nil {
			t.Fatal(err)
		}
		ways = append(ways, w)
	}
	var calls sync.WaitGroup
	for range 20 {
		for _, w := range ways {
			calls.Go(func() {
				c, err := net.Dial("tcp", w.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				if got, err := io.ReadAll(c); string(got) != "from "+w.Addr().String() || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
			})
		}
	}
	calls.Wait()
	for _, w := range ways {
		w.Close()
		if c, err := net.Dial("tcp", w.Addr().String()); err == nil {
			c.Close()
			t.Error("a closed doorway lets in")
		}
	}
	if n := p.Waits(); n != 0 {
		t.Errorf("%d doorways are watched still", n)
	}
	d.Close()
	serving.Wait()
}
