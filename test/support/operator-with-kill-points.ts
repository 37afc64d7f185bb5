/**
 * The operator with a hook at every point between two statements that matter for a slot or a run. Each point is printed as it is reached; at the one
 * that KILL_AT names (`before place#2`: the second time) the process sends KILL_SIGNAL (default SIGKILL) to itself, before anything else can
 * happen in it.
 */
import { writeSync } from 'node:fs'
import { runOperator } from '../../src/main/operator.ts'

const [wanted = '', occurrence = '1'] = (process.env['KILL_AT'] ?? '').split('#')
const signal = (process.env['KILL_SIGNAL'] ?? 'SIGKILL') as NodeJS.Signals
const reached = new Map<string, number>()

function at(point: string): void {
  const count = (reached.get(point) ?? 0) + 1
  reached.set(point, count)
  const isHere = point === wanted && count === Number(occurrence)
  // Straight into the pipe: what waits in a buffer would die with the process.
  writeSync(1, `${JSON.stringify({ msg: isHere ? 'struck' : 'point', point, count })}\n`)
  if (isHere) process.kill(process.pid, signal)
}

const stopping = new AbortController()
process.once('SIGTERM', () => stopping.abort(new Error('received SIGTERM')))
await runOperator({ env: process.env, stop: stopping.signal, version: '0.0.0-fault', at })
process.exit(0)
