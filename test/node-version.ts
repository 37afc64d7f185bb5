/** vitest runs on older Nodes without a word; Taskmill does not. */
export function setup(): void {
  const major = Number(process.versions.node.split('.')[0])
  if (major < 24) throw new Error(`Taskmill needs Node 24 or newer, this is ${process.version}. Next: make test, which brings its own`)
}
