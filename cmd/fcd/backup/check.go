package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"fcd/store"
	"fcd/store/catalog"
	"fcd/store/sqlite"
)

// Check reads the whole state in dataDir, beside a running daemon or without one, and reports what does not fit: a
// damaged database, a code package that is missing or is not what its name says.
func Check(ctx context.Context, dataDir string) (problems []string, err error) {
	look, err := sqlite.Inspect(ctx, filepath.Join(dataDir, "store"))
	if err != nil {
		return nil, err
	}
	defer look.Close()
	if problems, err = look.Check(); err != nil {
		return problems, err
	}
	zips := filepath.Join(dataDir, filepath.FromSlash(zipsName))
	checked := map[string]bool{}
	err = look.Records(functionRecords, func(r store.Record) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := catalog.DecodeFunction(r)
		if err != nil {
			problems = append(problems, err.Error())
			return nil
		}
		if sum := f.CodeSHA256; sum != "" && !checked[sum] {
			checked[sum] = true
			if err := checkPackage(zips, sum); err != nil {
				problems = append(problems, fmt.Sprintf("code of function %s/%s: %v", f.ServiceName, f.Name, err))
			}
		}
		return nil
	})
	return problems, err
}

// functionRecords is the prefix of all functions, published ones included.
const functionRecords = "fn/"

func checkPackage(zips, sum string) error {
	if len(sum) != sha256.Size*2 {
		return fmt.Errorf("%q is no SHA-256", sum)
	}
	f, err := os.Open(filepath.Join(zips, sum[:2], sum))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("package %s is missing", sum)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sum {
		return fmt.Errorf("package %s has the content of %s", sum, got)
	}
	return nil
}
