/**
 * The compiled operator as the image runs it, except that a pod's files are those of POD_FOLDER. As a pod, because what reads a kubeconfig takes
 * 90 MB that no pod loads; with a kubeconfig only where there is no folder. On SIGUSR2 it collects its garbage, and prints what is left.
 */
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { runOperator } from '../../dist/main/operator.js'

const { POD_FOLDER: folder } = process.env
const stopping = new AbortController()
process.once('SIGTERM', () => stopping.abort(new Error('received SIGTERM')))
setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')
let collections = 0
process.on('SIGUSR2', () => {
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  collections += 1
  console.log(JSON.stringify({ msg: `collection ${collections}`, heapMb: process.memoryUsage().heapUsed / 2 ** 20 }))
})
await runOperator({
  env: process.env,
  stop: stopping.signal,
  version: '0.0.0-bench',
  readFile: (path) => readFile(folder === undefined ? path : join(folder, basename(path)), 'utf8'),
})
process.exit(0)
