import { deadline } from '../clock/index.ts'
import { queueKeys } from '../contract/index.ts'
import { errorMessage } from '../errors/index.ts'
import { brokerError, unreachable } from './broker-error.ts'
import { failFastMs, openConnection, type Connection } from './connection.ts'
import { createCounts } from './counts.ts'
import { createEndedJobs } from './ended-jobs.ts'
import { createLedgers } from './ledgers.ts'
import { countOrphans, findLegacyRepeatables } from './look-at-queues.ts'
import { createPlacedJobs } from './placed-jobs.ts'
import type { Broker, BrokerOptions } from './port.ts'
import { createQueueSettings } from './queue-settings.ts'
import { readQueues } from './read-queues.ts'
import { createRuns } from './runs.ts'
import { readServerInfo } from './server-info.ts'

const longestBlockMs = 10_000

/** Connects to a broker, in the background. Two connections at most: one for commands, and one that waits for events from the first watch on. */
export function connectBroker({ address, keyPrefix, credentials, tls, log, clock }: BrokerOptions): Broker {
  const access = { address, tls, log, clock, ...(credentials === undefined ? {} : { credentials: () => credentials }) }
  const commands = openConnection({ ...access, name: 'taskmill:operator', silenceMs: failFastMs })
  const ledgers = createLedgers(commands.redis, keyPrefix)
  const runs = createRuns(commands.redis, keyPrefix)
  const counts = createCounts(commands.redis, keyPrefix)
  const placed = createPlacedJobs(commands.redis, keyPrefix)
  const ended = createEndedJobs(commands.redis, keyPrefix)
  const settings = createQueueSettings(commands.redis, keyPrefix)
  let watching: Connection | undefined
  let turn: Promise<unknown> = Promise.resolve()

  const onConnection = async <T>(connection: Connection, call: () => Promise<T>): Promise<T> => {
    await connection.ready()
    try {
      return await call()
    } catch (error) {
      throw brokerError(address, error)
    }
  }

  /** Connecting and the answer together have to fit into the time; an answer that comes later is dropped. */
  const command = async <T>(call: () => Promise<T>): Promise<T> => {
    using limit = deadline(clock, failFastMs + 100, { reason: () => unreachable(address, new Error('no answer in time')) })
    const late = new Promise<never>((_, reject) =>
      limit.signal.addEventListener('abort', () => reject(limit.signal.reason), { once: true }),
    )
    return await Promise.race([onConnection(commands, call), late])
  }

  /** Ends the blocking read from the other connection. Where that fails, the read ends by itself, at most `blockMs` later. */
  const interrupt = async (connection: Connection, clientId: number) => {
    try {
      await commands.redis.client('UNBLOCK', clientId)
    } catch (error) {
      log.debug({ address, error: errorMessage(error) }, 'could not end a blocking read')
      connection.redis.disconnect(true)
    }
  }

  const watch = async (cursors: ReadonlyMap<string, string>, blockMs: number, signal: AbortSignal) => {
    signal.throwIfAborted()
    watching ??= openConnection({ ...access, name: 'taskmill:operator:watch', silenceMs: longestBlockMs + failFastMs })
    const connection = watching
    const queueOf = new Map([...cursors.keys()].map((queue) => [queueKeys(keyPrefix, queue).events, queue]))
    let interrupted: Promise<void> | undefined
    return await onConnection(connection, async () => {
      const clientId = await connection.redis.client('ID')
      signal.throwIfAborted()
      const onAbort = () => void (interrupted = interrupt(connection, clientId))
      signal.addEventListener('abort', onAbort, { once: true })
      try {
        // One entry is enough: it only says that something happened, and the reading that follows moves the cursor to the end.
        const reply = await connection.redis.xread('COUNT', 1, 'BLOCK', blockMs, 'STREAMS', ...queueOf.keys(), ...cursors.values())
        return new Map((reply ?? []).map(([key, entries]) => [queueOf.get(key) ?? key, entries.at(-1)?.[0] ?? '0-0']))
      } finally {
        signal.removeEventListener('abort', onAbort)
        await interrupted
      }
    })
  }

  return {
    readQueues: (queues) => command(() => readQueues(commands.redis, keyPrefix, queues)),

    async watchQueues(cursors, blockMs, signal) {
      if (cursors.size === 0 || blockMs < 1 || blockMs > longestBlockMs) throw new RangeError('a watch needs a queue and 1 to 10000 ms')
      const mine = turn.then(() => watch(cursors, Math.round(blockMs), signal))
      turn = mine.catch(() => undefined)
      try {
        return await mine
      } finally {
        // What was news stays news: the caller's cursors have not moved.
        signal.throwIfAborted()
      }
    },

    countOrphans: (queues) => command(() => countOrphans(commands.redis, keyPrefix, queues)),
    findLegacyRepeatables: (queues) => command(() => findLegacyRepeatables(commands.redis, keyPrefix, queues)),
    info: () => command(() => readServerInfo(commands.redis)),

    claimDispatch: (claims) => command(() => ledgers.claimDispatch(claims)),
    releaseDispatch: (proof) => command(() => ledgers.releaseDispatch(proof)),
    readLedgers: (names) => command(() => ledgers.readLedgers(names)),
    writeLedger: (write) => command(() => ledgers.writeLedger(write)),
    readRun: (run, from) => command(() => runs.readRun(run, from)),
    appendRun: (append) => command(() => runs.appendRun(append)),
    deleteRun: (run, expectedLength, proof) => command(() => runs.deleteRun(run, expectedLength, proof)),
    readCounts: (installation, requests) => command(() => counts.readCounts(installation, requests)),
    listOwners: (installation, cursor) => command(() => ledgers.listOwners(installation, cursor)),
    placeJobs: (jobs, brokerTimeMs, proof) => command(() => placed.placeJobs(jobs, brokerTimeMs, proof)),
    removePlaced: (ref, proof) => command(() => placed.removePlaced(ref, proof)),
    cancelPlaced: (ref, proof) => command(() => placed.cancelPlaced(ref, proof)),
    lookAtPlaced: (refs) => command(() => placed.lookAtPlaced(refs)),
    readEnded: (doneQueues, from) => command(() => ended.readEnded(doneQueues, from)),
    acknowledgeEnded: (refs, proof) => command(() => ended.acknowledgeEnded(refs, proof)),

    applyQueue: (apply) => command(() => settings.applyQueue(apply)),
    releaseQueue: (claim) => command(() => settings.releaseQueue(claim)),
    cleanQueue: (clean) => command(() => settings.cleanQueue(clean)),

    onReturn: commands.onReturn,

    async close() {
      commands.close()
      watching?.close()
      await turn
    },
  }
}
