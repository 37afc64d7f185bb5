import type { Redis } from 'ioredis'
import {
  countedKey,
  type CountIncrement,
  countsKey,
  dispatcherKey,
  groupsKey,
  installationOf,
  ledgerKey,
  ownersKey,
  runKey,
  type OwnerMarker,
} from '../contract/index.ts'
import { hasOtherParent, placingOf } from './bullmq/index.ts'
import type {
  BrokerLedgers,
  BrokerRuns,
  CountRequest,
  DispatchAnswer,
  GroupWrite,
  LedgerAnswer,
  RunAnswer,
  StoredLedger,
} from './dispatch-port.ts'
import { callScript, inParts, scriptsBeside } from './script.ts'

const loadScript = scriptsBeside(import.meta.url)
const claimScript = loadScript('claim-dispatch')
const releaseScript = loadScript('release-dispatch')
const readLedgersScript = loadScript('read-ledgers')
const writeLedgerScript = loadScript('write-ledger', 'bullmq/placing', 'count-ends')
const readRunScript = loadScript('read-run')
const appendRunScript = loadScript('append-run', 'check-log', 'count-ends')
const deleteRunScript = loadScript('delete-run', 'check-log')
const archiveRunScript = loadScript('archive-run', 'check-log')
const readCountsScript = loadScript('read-counts')

const keysPerCall = 50
const ownersPerPage = 200
/** Of one reply: it holds up everybody else. */
const bytesPerRead = 2_000_000
const minutesPerHour = 60

/** The dispatch lease, and the ledgers, which only its holder may write. Errors are those of the connection. */
export function createLedgers(
  redis: Redis,
  keyPrefix: string,
): Pick<BrokerLedgers, 'claimDispatch' | 'releaseDispatch' | 'readLedgers' | 'writeLedger' | 'listOwners'> {
  return {
    async claimDispatch(claims) {
      const replies = await callScript(
        redis,
        claimScript,
        inParts(claims, keysPerCall).map((chunk) => ({
          keys: chunk.flatMap(({ dispatcher }) => [dispatcherKey(keyPrefix, dispatcher), ownersKey(keyPrefix, installationOf(dispatcher))]),
          args: chunk.flatMap(({ dispatcher, epoch, holder, by, patienceMs, mode, cluster }) => {
            const [, namespace = ''] = dispatcher.split('/')
            const marker: OwnerMarker = { v: 1, cluster, kind: 'Namespace', namespace, name: namespace, deletionPolicy: 'Delete' }
            return [epoch, holder, by, patienceMs, mode ?? '', dispatcher, JSON.stringify(marker)]
          }),
        })),
      )
      return (replies as readonly (readonly ClaimReply[])[]).flat().map(parseClaim)
    },

    async releaseDispatch({ dispatcher, epoch, holder }) {
      await callScript(redis, releaseScript, [{ keys: [dispatcherKey(keyPrefix, dispatcher)], args: [epoch, holder] }])
    },

    async readLedgers(ledgers) {
      // Without ledgers there is still the time to read.
      const calls = ledgers.length === 0 ? [[]] : inParts(ledgers, keysPerCall)
      const replies = await callScript(
        redis,
        readLedgersScript,
        calls.map((chunk) => ({ keys: chunk.map((ledger) => ledgerKey(keyPrefix, ledger)), args: [] })),
      )
      const stored = replies.flatMap((reply) => (reply as readonly (readonly [number, string] | [])[]).slice(1).map(parseStored))
      return { stored, brokerTimeMs: (replies.at(-1) as readonly [number])[0] }
    },

    async writeLedger({ ledger, expectedRevision, document, marker, proof, notBeforeMs, beforeMs, counts = [], places, group }) {
      const placing =
        places === undefined ? { keys: [], args: [] } : placingOf(places.jobs, keyPrefix, proof.dispatcher, places.brokerTimeMs)
      const [reply] = await callScript(redis, writeLedgerScript, [
        {
          keys: [
            dispatcherKey(keyPrefix, proof.dispatcher),
            ledgerKey(keyPrefix, ledger),
            ownersKey(keyPrefix, installationOf(ledger)),
            countedKey(keyPrefix, proof.dispatcher),
            groupsKey(keyPrefix, proof.dispatcher),
            ...countKeys(keyPrefix, installationOf(ledger), marker.namespace, counts),
            ...placing.keys,
          ],
          args: [
            proof.epoch,
            proof.holder,
            expectedRevision,
            document === undefined ? 'Delete' : 'Write',
            document ?? '',
            ledger,
            JSON.stringify(marker),
            notBeforeMs === undefined ? '' : Math.ceil(notBeforeMs),
            beforeMs === undefined ? '' : Math.ceil(beforeMs),
            counts.length,
            ...groupArgs(group),
            ...countOutcomes(counts),
            ...placing.args,
          ],
        },
      ])
      const answer = reply as WriteReply
      if (answer[0] === 'OtherParent') throw hasOtherParent(answer[2])
      if (answer[0] === 'GroupFull') {
        const [outcome, brokerTimeMs, found, runs] = answer
        return { outcome, brokerTimeMs, stored: parseStored(found), groupRuns: parseGroupRuns(runs) }
      }
      const [outcome, brokerTimeMs, ...found] = answer
      if (outcome !== 'Written') return { outcome, brokerTimeMs, stored: parseStored(found) }
      return { outcome, brokerTimeMs, stored: document === undefined ? undefined : { revision: expectedRevision + 1, document } }
    },

    async listOwners(installation, cursor) {
      const [next, fields] = await redis.hscan(ownersKey(keyPrefix, installation), cursor, 'COUNT', ownersPerPage)
      const owners = new Map<string, OwnerMarker>()
      const unreadable: string[] = []
      for (let index = 0; index < fields.length; index += 2) {
        const [ledger = '', text = ''] = fields.slice(index, index + 2)
        const marker = parseMarker(text)
        if (marker === undefined) unreadable.push(ledger)
        else owners.set(ledger, marker)
      }
      return { owners, unreadable, cursor: next }
    },
  }
}

type WriteReply =
  | readonly [Exclude<LedgerAnswer['outcome'], 'GroupFull'>, number, ...([number, string] | [])]
  | readonly ['GroupFull', number, readonly [number, string] | readonly [], readonly (string | number)[]]
  | readonly ['OtherParent', number, string]

function groupArgs(group: GroupWrite | undefined): readonly (string | number)[] {
  if (group === undefined) return ['', '', 0]
  const { name, runs, limit, gone = [] } = group
  return [name === undefined ? '0 ' : `${runs} ${name}`, limit ?? '', gone.length, ...gone]
}

function parseGroupRuns(reply: readonly (string | number)[]): ReadonlyMap<string, number> {
  return new Map(inParts(reply, 2).map(([ledger, runs]) => [String(ledger), Number(runs)]))
}

type ClaimReply = readonly ['Held'] | readonly ['HeldByOther', string] | readonly ['Behind', number]

function parseClaim(reply: ClaimReply): DispatchAnswer {
  if (reply[0] === 'Held') return { kind: 'Held' }
  return reply[0] === 'Behind' ? { kind: 'Behind', epoch: reply[1] } : { kind: 'HeldByOther', holder: reply[1] }
}

function parseStored([revision, document]: readonly [number, string] | readonly []): StoredLedger | undefined {
  return revision === undefined ? undefined : { revision, document: document ?? '' }
}

/** The decision logs of runs, which only the holder of the dispatch lease may write. Errors are those of the connection. */
export function createRuns(redis: Redis, keyPrefix: string): Pick<BrokerRuns, 'readRun' | 'appendRun' | 'archiveRun' | 'deleteRun'> {
  const keysOf = (run: string) => [runKey(keyPrefix, run), ownersKey(keyPrefix, installationOf(run))]
  return {
    async readRun(run, from) {
      const [reply] = await callScript(redis, readRunScript, [{ keys: keysOf(run), args: [run, from, bytesPerRead] }])
      const [brokerTimeMs, length, marker, ...entries] = reply as readonly [number, number, string, ...string[]]
      return { entries, length, marker: parseMarker(marker), brokerTimeMs }
    },

    async appendRun({ run, expectedLength, entries, marker, proof, counts = [] }) {
      const [reply] = await callScript(redis, appendRunScript, [
        {
          keys: [
            dispatcherKey(keyPrefix, proof.dispatcher),
            ...keysOf(run),
            countedKey(keyPrefix, proof.dispatcher),
            ...countKeys(keyPrefix, installationOf(run), marker.namespace, counts),
          ],
          args: [proof.epoch, proof.holder, expectedLength, run, JSON.stringify(marker), ...countOutcomes(counts), ...entries],
        },
      ])
      return parseRunAnswer(reply)
    },

    async archiveRun({ run, expectedLength, entry, marker, proof: { dispatcher, epoch, holder } }) {
      const keys = [dispatcherKey(keyPrefix, dispatcher), ...keysOf(run)]
      const args = [epoch, holder, expectedLength, run, JSON.stringify(marker), entry]
      const [reply] = await callScript(redis, archiveRunScript, [{ keys, args }])
      return parseRunAnswer(reply)
    },

    async deleteRun(run, expectedLength, { dispatcher, epoch, holder }) {
      const keys = [dispatcherKey(keyPrefix, dispatcher), ...keysOf(run)]
      const [reply] = await callScript(redis, deleteRunScript, [{ keys, args: [epoch, holder, expectedLength, run] }])
      return parseRunAnswer(reply)
    },
  }
}

function parseRunAnswer(reply: unknown): RunAnswer {
  const [outcome, brokerTimeMs, length] = reply as readonly [RunAnswer['outcome'], number, number]
  return { outcome, brokerTimeMs, length }
}

/** The counts of ends. Errors are those of the connection. */
export function createCounts(redis: Redis, keyPrefix: string): Pick<BrokerRuns, 'readCounts'> {
  return {
    async readCounts(installation, requests) {
      const hours = requests.flatMap((request, index) => hoursOf(request).map((hour) => ({ ...hour, request, index })))
      // Without hours there is still the time to read.
      const parts = hours.length === 0 ? [[]] : inParts(hours, keysPerCall)
      const replies = await callScript(
        redis,
        readCountsScript,
        parts.map((part) => ({
          keys: part.map(({ request, hour }) => countsKey(keyPrefix, { installation, ...request }, hour)),
          args: part.flatMap(({ first, last }) => [first, last]),
        })),
      )
      const rows = replies as readonly (readonly number[])[]
      const sums = rows.flatMap((row) => row.slice(1))
      const counts = requests.map(() => ({ succeeded: 0, failed: 0, missed: 0 }))
      for (const [at, { index }] of hours.entries()) {
        const of = counts[index]
        if (of === undefined) continue
        of.succeeded += sums[3 * at] ?? 0
        of.failed += sums[3 * at + 1] ?? 0
        of.missed += sums[3 * at + 2] ?? 0
      }
      return { counts, brokerTimeMs: rows.at(-1)?.[0] ?? 0 }
    },
  }
}

/** Returns the hours that a range of minutes touches, and which minutes of each. */
function hoursOf({
  fromMinute,
  toMinute,
}: CountRequest): readonly { readonly hour: number; readonly first: number; readonly last: number }[] {
  const from = Math.floor(fromMinute / minutesPerHour)
  const to = Math.floor(toMinute / minutesPerHour)
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => {
    const start = (from + index) * minutesPerHour
    return {
      hour: from + index,
      first: Math.max(0, fromMinute - start),
      last: Math.min(minutesPerHour - 1, toMinute - start),
    }
  })
}

/** Returns the keys of the counts for the scripts that record ends, without the hour: they add it by the server's clock. */
function countKeys(keyPrefix: string, installation: string, namespace: string, counts: readonly CountIncrement[]): readonly string[] {
  return counts.map(({ subjectKind, subject }) => countsKey(keyPrefix, { installation, namespace, subjectKind, subject }, ''))
}

function countOutcomes(counts: readonly CountIncrement[]): readonly string[] {
  return counts.map(({ outcome, count }) => (count === undefined ? outcome : `${outcome} ${count}`))
}

const kinds: readonly unknown[] = ['TaskSchedule', 'TaskExecution', 'TaskQueue', 'Namespace'] satisfies readonly OwnerMarker['kind'][]

/** Returns undefined for a marker of a later version or of an unknown kind, so that its data is left alone. */
function parseMarker(text: string): OwnerMarker | undefined {
  try {
    const marker = JSON.parse(text) as Partial<OwnerMarker> | null
    return marker?.v === 1 && kinds.includes(marker.kind) ? (marker as OwnerMarker) : undefined
  } catch {
    return undefined
  }
}
