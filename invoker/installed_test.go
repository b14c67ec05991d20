package invoker

import (
	"os"
	"strings"
	"testing"
)

const installedNode = `
const child = require('child_process'), fs = require('fs'), https = require('https');
exports.handler = (event, context, callback) => {
  callback(null, [
    process.version, process.execPath, fs.readFileSync('/etc/passwd').toString().split(':')[0],
    child.execSync('echo $((6 * 7)) | sed s/4/four/ | awk "{print toupper(\\$1)}"').toString().trim(),
    child.execSync('date +%H', {env: {TZ: 'Asia/Shanghai', PATH: process.env.PATH, SOURCE_DATE_EPOCH: '0'}}).toString().trim().length,
    fs.readFileSync('/etc/services').toString().indexOf('https') > 0,
    fs.existsSync('/usr/bin/apt'),
  ].join(' '));
};`

const installedPython = `# -*- coding: utf-8 -*-
import ctypes, json, mimetypes, os, socket, sqlite3, ssl, subprocess, sys, time
import bz2, curses, dbm, hashlib, readline, uuid, xml.parsers.expat, zlib, decimal, multiprocessing, unittest
def handler(event, context):
    os.environ['TZ'] = 'Asia/Shanghai'
    time.tzset()
    roots = ssl.create_default_context().cert_store_stats()['x509_ca']
    return ' '.join([
        sys.version.split()[0], sys.executable, subprocess.check_output('echo $((6 * 7)) | sed s/4/four/', shell=True).strip(),
        time.strftime('%H', time.localtime(0)), mimetypes.guess_type('a.svg')[0], str(socket.getservbyname('https')),
        str(roots > 50), ssl.OPENSSL_VERSION.split()[1], sqlite3.connect(':memory:').execute('select 6 * 7').fetchone()[0].__repr__(),
    ])
`

// The interpreters that were written for run in root file systems of their own, with all that a function may count on.
func TestRealInstalledRuntimes(t *testing.T) {
	if os.Getenv("FCD_RUNTIMES_DIR") == "" {
		t.Skip("FCD_RUNTIMES_DIR names no folder of installed runtimes; make test does")
	}
	for _, tt := range []struct {
		lang language
		want string
	}{
		{language{name: "nodejs6", runtime: "nodejs6", file: "index.js", code: installedNode}, "v6.17.1 /usr/bin/node fc FOUR2 2 true false"},
		{language{name: "nodejs8", runtime: "nodejs8", file: "index.js", code: installedNode}, "v8.17.0 /usr/bin/node fc FOUR2 2 true false"},
		{language{name: "python2.7", runtime: "python2.7", file: "index.py", code: installedPython},
			"2.7.18 /usr/bin/python2.7 four2 08 image/svg+xml 443 True 1.1.1w 42"},
	} {
		t.Run(tt.lang.name, func(t *testing.T) {
			r := newReal(t, tt.lang, nil)
			result := r.call(t, r.ref, "")
			if got := strings.TrimSpace(string(result.Body)); got != tt.want || result.ErrorType != "" {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			t.Logf("cold %v", result.Duration)
		})
	}
}
