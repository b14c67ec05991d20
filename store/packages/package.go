package packages

type Package struct {
	SHA256, CRC64 string
	Size          int64
}
