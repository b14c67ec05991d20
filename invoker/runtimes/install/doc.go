// Package install fetches the true interpreters of the runtimes and makes of each a root file system of its own, which
// then is the sandbox's: nodejs6, nodejs8, python2.7 and java8 as they were, with the libc they were built for.
//
// An Installer works down one pinned list (pins.go): every package has a version and a SHA-256, and nothing is unpacked
// whose bytes differ. Where the bytes come from is a Source. The usual one asks the package clients of the host, npm and
// apt, which know the site's mirrors, proxies and credentials; another one reads a folder or a web server of the
// operator's own. What was fetched in part is gone on with by the next call.
//
// Packages are unpacked in Go, inside an os.Root, so that no entry leaves the folder; no script of a package is run, no
// owner, device or set-user-id bit is taken over. A root is built in a temporary folder and renamed when it is complete;
// its receipt (runtimes.Receipt) says what it is made of. All of it works as an ordinary user.
//
//	i, err := install.New(install.Options{Dir: "/var/lib/fcd/runtimes"})
//	receipt, err := i.Install(ctx, "nodejs8")   // does nothing if it is there
//
//	DIR/nodejs8/8.17.0/          a root: usr, etc, bin -> usr/bin ..., .fcd-runtime.json
//	DIR/.downloads/              packages, until the runtimes that want them are complete
//	DIR/.lock                    held by the one process that installs
//
// The package does not decide which interpreter serves a runtime: that is package runtimes, which finds what is here.
package install
