package oss

import (
	"mime"
	"net/http"
)

// What a request is about.
const (
	onService = iota
	onBucket
	onObject
)

// operation is one row of the protocol's table.
type operation struct {
	name   string // as the service's reference spells it; the label of metrics
	action string // for the policies; "" if serve asks them itself
	serve  func(*call) error
	// ownAuth: the signature stands in the body, serve checks it.
	ownAuth bool
}

var unknownOperation = &operation{name: "unknown"}

// route is where an operation is found: what it is about, the method and the sub-resource of the query.
type route struct {
	scope  int
	method string
	sub    string
}

// operations is the table of what is served.
var operations = map[route]*operation{
	{onService, "GET", ""}: {name: "ListBuckets", action: "oss:ListBuckets", serve: (*call).listBuckets},

	{onBucket, "PUT", ""}:           {name: "PutBucket", action: "oss:PutBucket", serve: (*call).putBucket},
	{onBucket, "HEAD", ""}:          {name: "HeadBucket", action: "oss:GetBucketInfo", serve: (*call).headBucket},
	{onBucket, "DELETE", ""}:        {name: "DeleteBucket", action: "oss:DeleteBucket", serve: (*call).deleteBucket},
	{onBucket, "GET", ""}:           {name: "ListObjects", action: "oss:ListObjects", serve: (*call).listObjects},
	{onBucket, "GET", "bucketInfo"}: {name: "GetBucketInfo", action: "oss:GetBucketInfo", serve: (*call).bucketInfo},
	{onBucket, "GET", "location"}:   {name: "GetBucketLocation", action: "oss:GetBucketLocation", serve: (*call).bucketLocation},
	{onBucket, "GET", "acl"}:        {name: "GetBucketAcl", action: "oss:GetBucketAcl", serve: (*call).bucketACL},
	{onBucket, "PUT", "acl"}:        {name: "PutBucketAcl", action: "oss:PutBucketAcl", serve: (*call).putBucketACL},
	{onBucket, "GET", "stat"}:       {name: "GetBucketStat", action: "oss:GetBucketStat", serve: (*call).bucketStat},
	{onBucket, "GET", "uploads"}:    {name: "ListMultipartUploads", action: "oss:ListMultipartUploads", serve: (*call).listUploads},
	{onBucket, "POST", ""}:          {name: "PostObject", ownAuth: true, serve: (*call).postObject},
	{onBucket, "POST", "delete"}:    {name: "DeleteMultipleObjects", serve: (*call).deleteMany},

	{onObject, "PUT", ""}:            {name: "PutObject", action: "oss:PutObject", serve: (*call).putObject},
	{onObject, "GET", ""}:            {name: "GetObject", action: "oss:GetObject", serve: (*call).getObject},
	{onObject, "HEAD", ""}:           {name: "HeadObject", action: "oss:GetObject", serve: (*call).getObject},
	{onObject, "DELETE", ""}:         {name: "DeleteObject", action: "oss:DeleteObject", serve: (*call).deleteObject},
	{onObject, "POST", "append"}:     {name: "AppendObject", action: "oss:PutObject", serve: (*call).appendObject},
	{onObject, "POST", "uploads"}:    {name: "InitiateMultipartUpload", action: "oss:PutObject", serve: (*call).startUpload},
	{onObject, "PUT", "uploadId"}:    {name: "UploadPart", action: "oss:PutObject", serve: (*call).putPart},
	{onObject, "GET", "uploadId"}:    {name: "ListParts", action: "oss:ListParts", serve: (*call).listParts},
	{onObject, "POST", "uploadId"}:   {name: "CompleteMultipartUpload", action: "oss:PutObject", serve: (*call).completeUpload},
	{onObject, "DELETE", "uploadId"}: {name: "AbortMultipartUpload", action: "oss:AbortMultipartUpload", serve: (*call).abortUpload},
	{onObject, "GET", "objectMeta"}:  {name: "GetObjectMeta", action: "oss:GetObject", serve: (*call).objectMeta},
	{onObject, "HEAD", "objectMeta"}: {name: "GetObjectMeta", action: "oss:GetObject", serve: (*call).objectMeta},
	{onObject, "GET", "acl"}:         {name: "GetObjectAcl", action: "oss:GetObjectAcl", serve: (*call).objectACL},
	{onObject, "PUT", "acl"}:         {name: "PutObjectAcl", action: "oss:PutObjectAcl", serve: (*call).putObjectACL},
	{onObject, "GET", "symlink"}:     {name: "GetSymlink", action: "oss:GetObject", serve: (*call).getSymlink},
	{onObject, "PUT", "symlink"}:     {name: "PutSymlink", action: "oss:PutObject", serve: (*call).putSymlink},
	{onObject, "GET", "tagging"}:     {name: "GetObjectTagging", action: "oss:GetObjectTagging", serve: (*call).tagging},
	{onObject, "PUT", "tagging"}:     {name: "PutObjectTagging", action: "oss:PutObjectTagging", serve: (*call).putTagging},
	{onObject, "DELETE", "tagging"}:  {name: "DeleteObjectTagging", action: "oss:DeleteObjectTagging", serve: (*call).deleteTagging},
}

var (
	copyObject     = &operation{name: "CopyObject", action: "oss:PutObject", serve: (*call).copyObject}
	uploadPartCopy = &operation{name: "UploadPartCopy", action: "oss:PutObject", serve: (*call).putPartCopy}
)

// subResources are the query parameters that choose an operation, served or not. The first that a request has counts.
var subResources = map[int][]string{
	onService: {"regions", "regionList", "cloudboxes", "qosInfo"},
	onBucket: {
		"acl", "bucketInfo", "location", "uploads", "delete", "stat",
		"versioning", "versions", "lifecycle", "website", "cors", "policy", "policyStatus", "logging", "userDefinedLogFieldsConfig",
		"referer", "replication", "replicationProgress", "replicationLocation", "rtc", "encryption", "inventory", "inventoryId",
		"worm", "wormId", "wormExtend", "requestPayment", "transferAcceleration", "cname", "tagging", "resourceGroup",
		"metaQuery", "qosInfo", "style", "styleName", "live", "vod", "accessmonitor", "archiveDirectRead", "accessPoint",
		"httpsConfig", "publicAccessBlock", "responseHeader", "img", "udf", "comp", "callback",
	},
	onObject: {
		"acl", "append", "uploads", "uploadId", "objectMeta", "symlink", "tagging",
		"versionId", "restore", "callback", "x-oss-process", "x-oss-async-process", "live", "vod", "status", "comp", "img",
		"style", "asyncFetch", "sequential", "withHashContext", "cleanRestoredObject", "qos", "seal",
	},
}

// unservedHeaders change what a write means in ways that must not be ignored.
var unservedHeaders = []string{
	"x-oss-callback", "x-oss-server-side-encryption", "x-oss-server-side-encryption-key-id", "x-oss-server-side-data-encryption",
}

// route finds the request's operation in the table.
func (c *call) route() (*operation, error) {
	scope := onObject
	switch {
	case c.bucket == "":
		scope = onService
	case c.key == "":
		scope = onBucket
	}
	for _, h := range unservedHeaders {
		if c.r.Header.Get(h) != "" {
			return nil, notImplemented("the header " + h)
		}
	}
	sub := c.subResource(scope)
	if op := operations[route{scope, c.r.Method, sub}]; op != nil {
		return c.variant(op, sub), nil
	}
	if sub != "" {
		return nil, notImplemented("the sub-resource " + sub + " with " + c.r.Method)
	}
	if c.r.Method == http.MethodOptions {
		return nil, notImplemented("the sub-resource cors")
	}
	return nil, refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "the method %q is not allowed against this resource", c.r.Method)
}

func (c *call) subResource(scope int) string {
	for _, name := range subResources[scope] {
		if c.query.Has(name) {
			return name
		}
	}
	return ""
}

// variant tells copies from writes with a body.
func (c *call) variant(op *operation, sub string) *operation {
	if c.r.Method != http.MethodPut || c.r.Header.Get("x-oss-copy-source") == "" {
		return op
	}
	switch {
	case c.key != "" && sub == "":
		return copyObject
	case sub == "uploadId":
		return uploadPartCopy
	}
	return op
}

// isForm tells a form upload.
func isForm(r *http.Request) bool {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && t == "multipart/form-data"
}
