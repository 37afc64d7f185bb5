/** A worker process that a test can kill: `node worker-process.ts ADDRESS QUEUE`. Says on stdout which jobs it starts, and never ends one. */
import { createConsumer } from '../../src/broker/index.ts'
import { systemClock } from '../../src/clock/index.ts'
import { silentLogger } from '../../src/observability/index.ts'

const [, , address = '', queue = ''] = process.argv
await createConsumer({
  address,
  keyPrefix: 'bull',
  queues: [queue],
  concurrency: 2,
  name: 'doomed',
  instance: `${process.pid}`,
  lockDurationMs: 900,
  stalledIntervalMs: 300,
  log: silentLogger,
  clock: systemClock,
  process: async (job) => {
    process.stdout.write(`${job.id}\n`)
    await new Promise(() => undefined)
  },
}).run()
