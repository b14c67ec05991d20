package oss

import (
	"encoding/xml"
	"net/http"
	"strings"
	"time"

	"fcd/localcloud/oss/disk"
)

// stampFormat is the only form of time that all clients read in documents: milliseconds that are always zero.
const stampFormat = "2006-01-02T15:04:05.000Z"

func stamp(t time.Time) string { return t.UTC().Truncate(time.Second).Format(stampFormat) }

type ownerXML struct {
	ID          string
	DisplayName string
}

type bucketXML struct {
	Name             string
	Location         string
	Region           string
	CreationDate     string
	ExtranetEndpoint string
	IntranetEndpoint string
	StorageClass     string
}

type bucketListXML struct {
	XMLName     xml.Name `xml:"ListAllMyBucketsResult"`
	Prefix      string   `xml:",omitempty"`
	Marker      string   `xml:",omitempty"`
	MaxKeys     int      `xml:",omitempty"`
	IsTruncated bool
	NextMarker  string `xml:",omitempty"`
	Owner       ownerXML
	Buckets     []bucketXML `xml:"Buckets>Bucket"`
}

func (s *Server) owner() ownerXML {
	return ownerXML{ID: s.opts.AccountID, DisplayName: s.opts.AccountID}
}

func (s *Server) location() string { return "oss-" + s.opts.Region }

func (s *Server) bucketXML(b disk.Bucket) bucketXML {
	return bucketXML{
		Name: b.Name, Location: s.location(), Region: s.opts.Region, CreationDate: stamp(b.Created),
		ExtranetEndpoint: s.location() + cloudDomain, IntranetEndpoint: s.location() + "-internal" + cloudDomain,
		StorageClass: "Standard",
	}
}

func (c *call) listBuckets() error {
	most, err := c.number("max-keys", 100, 1, 1000)
	if err != nil {
		return err
	}
	page := bucketListXML{
		Prefix: c.query.Get("prefix"), Marker: c.query.Get("marker"), Owner: c.s.owner(), Buckets: []bucketXML{},
	}
	if c.query.Has("max-keys") {
		page.MaxKeys = most
	}
	for _, b := range c.s.disk.Buckets() {
		if !strings.HasPrefix(b.Name, page.Prefix) || b.Name <= page.Marker {
			continue
		}
		if len(page.Buckets) == most {
			page.IsTruncated, page.NextMarker = true, page.Buckets[most-1].Name
			break
		}
		page.Buckets = append(page.Buckets, c.s.bucketXML(b))
	}
	return c.xml(page)
}

func (c *call) putBucket() error {
	acl := c.r.Header.Get("x-oss-acl")
	if acl != "" {
		if err := checkACL(acl); err != nil {
			return err
		}
	}
	if _, err := c.document(&struct{}{}, 64<<10); err != nil {
		return err
	}
	created, err := c.s.disk.CreateBucket(c.ctx(), c.bucket, acl)
	if err != nil {
		return err
	}
	if created {
		c.s.namesChanged()
	}
	c.w.Header().Set("Location", "/"+c.bucket)
	return c.empty(http.StatusOK)
}

func (c *call) headBucket() error {
	if _, err := c.exists(); err != nil {
		return err
	}
	c.w.Header().Set("x-oss-bucket-region", c.s.location())
	return c.empty(http.StatusOK)
}

func (c *call) deleteBucket() error {
	if err := c.s.disk.DeleteBucket(c.ctx(), c.bucket); err != nil {
		return err
	}
	c.s.namesChanged()
	return c.empty(http.StatusNoContent)
}

type grantXML struct {
	Grant string
}

type bucketInfoXML struct {
	XMLName xml.Name `xml:"BucketInfo"`
	Bucket  struct {
		bucketXML
		DataRedundancyType string
		Owner              ownerXML
		AccessControlList  grantXML
	}
}

func (c *call) bucketInfo() error {
	b, err := c.exists()
	if err != nil {
		return err
	}
	var v bucketInfoXML
	v.Bucket.bucketXML = c.s.bucketXML(b)
	v.Bucket.DataRedundancyType = "LRS"
	v.Bucket.Owner = c.s.owner()
	v.Bucket.AccessControlList.Grant = b.ACL
	return c.xml(v)
}

func (c *call) bucketLocation() error {
	if _, err := c.exists(); err != nil {
		return err
	}
	return c.xml(struct {
		XMLName xml.Name `xml:"LocationConstraint"`
		Name    string   `xml:",chardata"`
	}{Name: c.s.location()})
}

type aclXML struct {
	XMLName           xml.Name `xml:"AccessControlPolicy"`
	Owner             ownerXML
	AccessControlList grantXML
}

func (c *call) bucketACL() error {
	b, err := c.exists()
	if err != nil {
		return err
	}
	return c.xml(aclXML{Owner: c.s.owner(), AccessControlList: grantXML{b.ACL}})
}

func (c *call) putBucketACL() error {
	if _, err := c.exists(); err != nil {
		return err
	}
	acl := c.r.Header.Get("x-oss-acl")
	if err := checkACL(acl); err != nil {
		return err
	}
	if _, err := c.s.disk.CreateBucket(c.ctx(), c.bucket, acl); err != nil {
		return err
	}
	return c.empty(http.StatusOK)
}

func (c *call) bucketStat() error {
	u, err := c.s.disk.Usage(c.ctx(), c.bucket)
	if err != nil {
		return err
	}
	return c.xml(struct {
		XMLName              xml.Name `xml:"BucketStat"`
		Storage              int64
		ObjectCount          int64
		MultipartUploadCount int64
		LiveChannelCount     int64
		LastModifiedTime     int64
	}{Storage: u.Bytes, ObjectCount: u.Objects, MultipartUploadCount: u.Uploads, LastModifiedTime: c.start.Unix()})
}
