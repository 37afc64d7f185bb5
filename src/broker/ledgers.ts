import type { Redis } from 'ioredis'
import { dispatcherKey, ledgerKey, ownersKey, type OwnerMarker } from '../contract/index.ts'
import { countKeys, countOutcomes } from './counts.ts'
import type { BrokerLedgers, DispatchAnswer, LedgerAnswer, StoredLedger } from './ledger-port.ts'
import { installationOf, parseMarker } from './markers.ts'
import { callScript, loadScript } from './script.ts'

const claimScript = loadScript('claim-dispatch')
const releaseScript = loadScript('release-dispatch')
const readScript = loadScript('read-ledgers')
const writeScript = loadScript('write-ledger', 'count-ends')

const keysPerCall = 50
const ownersPerPage = 200

/** Who dispatches, and the ledgers that only they may write. Errors are those of the connection. */
export function createLedgers(
  redis: Redis,
  keyPrefix: string,
): Pick<BrokerLedgers, 'claimDispatch' | 'releaseDispatch' | 'readLedgers' | 'writeLedger' | 'listOwners'> {
  return {
    async claimDispatch(claims) {
      const replies = await callScript(
        redis,
        claimScript,
        chunks(claims).map((chunk) => ({
          keys: chunk.map(({ dispatcher }) => dispatcherKey(keyPrefix, dispatcher)),
          args: chunk.flatMap(({ epoch, holder, by, patienceMs }) => [epoch, holder, by, patienceMs]),
        })),
      )
      return (replies as readonly (readonly ClaimReply[])[]).flat().map(parseClaim)
    },

    async releaseDispatch({ dispatcher, epoch, holder }) {
      await callScript(redis, releaseScript, [{ keys: [dispatcherKey(keyPrefix, dispatcher)], args: [epoch, holder] }])
    },

    async readLedgers(ledgers) {
      // Without ledgers there is still the time to read.
      const calls = ledgers.length === 0 ? [[]] : chunks(ledgers)
      const replies = await callScript(
        redis,
        readScript,
        calls.map((chunk) => ({ keys: chunk.map((ledger) => ledgerKey(keyPrefix, ledger)), args: [] })),
      )
      const stored = replies.flatMap((reply) => (reply as readonly (readonly [number, string] | [])[]).slice(1).map(parseStored))
      return { stored, brokerTimeMs: (replies.at(-1) as readonly [number])[0] }
    },

    async writeLedger({ ledger, expectedRevision, document, marker, proof, notBeforeMs, beforeMs, counts = [] }): Promise<LedgerAnswer> {
      const [reply] = await callScript(redis, writeScript, [
        {
          keys: [
            dispatcherKey(keyPrefix, proof.dispatcher),
            ledgerKey(keyPrefix, ledger),
            ownersKey(keyPrefix, installationOf(ledger)),
            ...countKeys(keyPrefix, installationOf(ledger), marker.namespace, counts),
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
            ...countOutcomes(counts),
          ],
        },
      ])
      const [outcome, brokerTimeMs, ...found] = reply as readonly [LedgerAnswer['outcome'], number, ...([number, string] | [])]
      if (outcome !== 'Written') return { outcome, brokerTimeMs, stored: parseStored(found) }
      return { outcome, brokerTimeMs, stored: document === undefined ? undefined : { revision: expectedRevision + 1, document } }
    },

    async listOwners(installation, cursor) {
      const [next, fields] = await redis.hscan(ownersKey(keyPrefix, installation), cursor, 'COUNT', ownersPerPage)
      const owners = new Map<string, OwnerMarker>()
      for (let index = 0; index < fields.length; index += 2) {
        const [ledger = '', text = ''] = fields.slice(index, index + 2)
        const marker = parseMarker(text)
        if (marker !== undefined) owners.set(ledger, marker)
      }
      return { owners, cursor: next }
    },
  }
}

type ClaimReply = readonly ['Held'] | readonly ['HeldByOther', string] | readonly ['Behind', number]

function parseClaim(reply: ClaimReply): DispatchAnswer {
  if (reply[0] === 'Held') return { kind: 'Held' }
  return reply[0] === 'Behind' ? { kind: 'Behind', epoch: reply[1] } : { kind: 'HeldByOther', holder: reply[1] }
}

function parseStored([revision, document]: readonly [number, string] | readonly []): StoredLedger | undefined {
  return revision === undefined ? undefined : { revision, document: document ?? '' }
}

function chunks<T>(all: readonly T[]): T[][] {
  const parts: T[][] = []
  for (let from = 0; from < all.length; from += keysPerCall) parts.push(all.slice(from, from + keysPerCall))
  return parts
}
