package daemon

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"

	"fcd/config"
)

// accountFile keeps what was made up at the first start; mode 0600.
const accountFile = "account.json"

// account is the configured account, completed by what an earlier start made up or, at the first start, by what is made
// up now.
func account(c *config.Config) (config.Account, error) {
	got := c.Account
	if got.ID != "" && got.AccessKeyID != "" {
		return got, nil
	}
	kept, err := keptAccount(filepath.Join(c.DataDir, accountFile))
	if err != nil {
		return config.Account{}, err
	}
	if got.ID == "" {
		got.ID = kept.ID
	}
	if got.AccessKeyID == "" {
		got.AccessKeyID, got.AccessKeySecret = kept.AccessKeyID, kept.AccessKeySecret
	}
	return got, nil
}

func keptAccount(path string) (config.Account, error) {
	var a config.Account
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		a = newAccount()
		if b, err = json.Marshal(a); err != nil {
			return a, err
		}
		return a, writeWhole(path, b)
	}
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return a, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

// newAccount makes up a sixteen-digit account id and a key of the cloud's usual shape.
func newAccount() config.Account {
	n, _ := rand.Int(rand.Reader, big.NewInt(9e15)) // crypto/rand does not fail
	return config.Account{
		ID:              fmt.Sprint(n.Int64() + 1e15),
		AccessKeyID:     "LTAI" + rand.Text()[:20],
		AccessKeySecret: rand.Text() + rand.Text()[:4],
	}
}

// writeWhole makes a file, mode 0600, that is there as a whole or not at all, also after a power cut.
func writeWhole(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
