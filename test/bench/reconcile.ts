/** What the work queue and the controller cost a reconciliation, against calling the same function in a bare loop. */
import { systemClock } from '../../src/clock/index.ts'
import { silentLogger } from '../../src/observability/index.ts'
import { createController } from '../../src/runtime/index.ts'
import { printComparison } from './table.ts'

const keys = Array.from({ length: 10_000 }, (_, index) => `default/pool-${index}`)

/** Each round reconciles all keys once; figures are microseconds per key. */
export async function benchReconcile(rounds: number): Promise<void> {
  const times = { ours: [] as number[], loop: [] as number[] }
  for (let round = 0; round < rounds; round += 1) {
    times.ours.push(await throughController())
    times.loop.push(await throughLoop())
  }
  printComparison('reconciliation that does nothing, of 10,000 keys', 'µs per key', times.ours, times.loop, 'bare loop')
}

async function throughController(): Promise<number> {
  const all = Promise.withResolvers<void>()
  let left = keys.length
  const controller = createController({
    name: 'bench',
    concurrency: 8,
    clock: systemClock,
    log: silentLogger,
    reconcile: async () => {
      left -= 1
      if (left === 0) all.resolve()
      return {}
    },
  })
  const stop = new AbortController()
  const startedMs = performance.now()
  for (const key of keys) controller.enqueue(key)
  controller.start(stop.signal)
  await all.promise
  const elapsedMs = performance.now() - startedMs
  stop.abort()
  await controller.stopped
  return (elapsedMs * 1000) / keys.length
}

async function throughLoop(): Promise<number> {
  let left = keys.length
  const reconcile = async (): Promise<object> => {
    left -= 1
    return {}
  }
  const startedMs = performance.now()
  for (const _ of keys) await reconcile()
  return ((performance.now() - startedMs) * 1000) / keys.length
}
