// The number of seccomp(2), which package syscall lacks.
package inside

const sysSeccomp = 317
