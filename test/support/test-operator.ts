/**
 * The operator as the tests run it, in three ways unlike the product. It finds what a pod has mounted in POD_FOLDER. Some of its times are
 * those of TEST_TIMES, as JSON. And it has a hook at every point between two statements that matter for a slot, a run or an alert: each point
 * is printed as it is reached; at the one that KILL_AT names (`before place#2`: the second time) the process sends KILL_SIGNAL (default
 * SIGKILL) to itself, before anything else can happen in it.
 */
import { writeSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { runOperator, type OperatorInputs } from '../../src/main/operator.ts'

const [wanted = '', occurrence = '1'] = (process.env['KILL_AT'] ?? '').split('#')
const signal = (process.env['KILL_SIGNAL'] ?? 'SIGKILL') as NodeJS.Signals
const reached = new Map<string, number>()

function reachPoint(point: string): void {
  const count = (reached.get(point) ?? 0) + 1
  reached.set(point, count)
  const isHere = point === wanted && count === Number(occurrence)
  // Straight into the pipe: what waits in a buffer would die with the process.
  writeSync(1, `${JSON.stringify({ msg: isHere ? 'struck' : 'point', point, count })}\n`)
  if (isHere) process.kill(process.pid, signal)
}

const stopping = new AbortController()
process.once('SIGTERM', () => stopping.abort(new Error('received SIGTERM')))
const podFolder = process.env['POD_FOLDER']
const { KUBECONFIG: kubeconfig, ...others } = process.env
await runOperator({
  env: podFolder === undefined ? { ...others, KUBECONFIG: kubeconfig } : others,
  stop: stopping.signal,
  version: '0.0.0-test',
  reachPoint,
  times: JSON.parse(process.env['TEST_TIMES'] ?? '{}') as NonNullable<OperatorInputs['times']>,
  readFile: (path) => readFile(podFolder === undefined ? path : join(podFolder, basename(path)), 'utf8'),
})
process.exit(0)
