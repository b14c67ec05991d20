package sign

import (
	"crypto/sha1"
	"net/http"
	"slices"
	"strings"
	"time"
)

// ossV1Signed are the query parameters that version 1 signs.
var ossV1Signed = makeSet(`acl uploads location cors logging website referer lifecycle delete append tagging objectMeta
	uploadId partNumber security-token position img style styleName replication replicationProgress replicationLocation
	cname bucketInfo comp qos live status vod startTime endTime symlink x-oss-process response-content-type
	response-content-language response-expires response-cache-control response-content-disposition
	response-content-encoding x-oss-traffic-limit udf udfName udfImage udfId udfImageDesc udfApplication
	udfApplicationLog restore callback callback-var qosInfo policy stat encryption versions versioning versionId
	requestPayment x-oss-request-payer sequential inventory inventoryId continuation-token asyncFetch worm wormId
	wormExtend withHashContext x-oss-enable-md5 x-oss-enable-sha1 x-oss-enable-sha256 x-oss-hash-ctx x-oss-md5-ctx
	transferAcceleration regionList cloudboxes x-oss-ac-source-ip x-oss-ac-subnet-mask x-oss-ac-vpc-id
	x-oss-ac-forward-allow metaQuery resourceGroup rtc x-oss-async-process responseHeader`)

func makeSet(words string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		set[w] = true
	}
	return set
}

func parseOSSv1(r *http.Request, q []field, bucket, key, rest string) (OSS, error) {
	id, sig, ok := strings.Cut(rest, ":")
	if !ok || id == "" || sig == "" {
		return OSS{}, ossInvalid("authorization header is not of the form 'OSS <access key ID>:<signature>'")
	}
	dates, date, err := ossDates(r)
	if err != nil {
		return OSS{}, err
	}
	texts := ossV1Texts(r, q, bucket, key, dates)
	return OSS{
		AccessKeyID: id, Token: r.Header.Get("X-Oss-Security-Token"), Version: "V1", date: date,
		check: func(secret string) bool { return macMatches(sha1.New, secret, sig, texts) },
	}, nil
}

func parseOSSv1Query(r *http.Request, q []field, bucket, key string) (OSS, error) {
	id, _ := first(q, "OSSAccessKeyId")
	sig, _ := first(q, "Signature")
	expires, _ := first(q, "Expires")
	if id == "" || sig == "" || expires == "" {
		return OSS{}, ossDenied("a signed URL needs OSSAccessKeyId, Expires and Signature")
	}
	until, err := unixSeconds("Expires", expires)
	if err != nil {
		return OSS{}, err
	}
	token, _ := first(q, "security-token")
	texts := ossV1Texts(r, q, bucket, key, []string{expires})
	return OSS{
		AccessKeyID: id, Token: token, Version: "V1", Presigned: true, date: time.Time{}, expires: until,
		check: func(secret string) bool { return macMatches(sha1.New, secret, sig, texts) },
	}, nil
}

// ossV1Texts are the candidates: one per date text, with the listed sub-resources alone and with every x-oss- parameter
// (the second generation of SDKs signs those it does not know, too).
func ossV1Texts(r *http.Request, q []field, bucket, key string, dates []string) []string {
	head := r.Method + "\n" + r.Header.Get("Content-MD5") + "\n" + r.Header.Get("Content-Type") + "\n"
	canon := lines(prefixed(r.Header, "x-oss-")) + ossResource(bucket, key)
	var out []string
	for _, d := range dates {
		for _, all := range []bool{false, true} {
			out = append(out, head+d+"\n"+canon+ossV1Query(q, all))
		}
	}
	return out
}

func ossV1Query(q []field, allOSS bool) string {
	var signed []field
	for _, f := range q {
		if ossV1Signed[f.name] || allOSS && strings.HasPrefix(f.name, "x-oss-") {
			signed = append(signed, f)
		}
	}
	if len(signed) == 0 {
		return ""
	}
	slices.SortStableFunc(signed, byName)
	var b strings.Builder
	for i, f := range signed {
		b.WriteByte("?&"[min(i, 1)])
		b.WriteString(f.name)
		if f.value != "" {
			b.WriteString("=" + f.value)
		}
	}
	return b.String()
}
