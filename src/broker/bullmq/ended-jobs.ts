import type { Redis } from 'ioredis'
import { dispatcherKey, ledgerKey, parseOwner, queueKeys, runKey } from '../../contract/index.ts'
import { parseJson as parseExactly } from '../../json/index.ts'
import type { BrokerJobs, EndedJob } from '../dispatch-port.ts'
import { callScript, inParts, scriptsBeside } from '../script.ts'

const loadScript = scriptsBeside(import.meta.url)
const readScript = loadScript('read-ended')
const acknowledgeScript = loadScript('acknowledge-ended')

const endsPerRead = 100
const queuesPerCall = 5
const endsPerCall = 100
const messageLength = 1_024
const mostResultBytes = 16_384
/** Of a slot: each schedule keeps one in memory, and nothing is decided by it. */
const mostSlotResultBytes = 256

type EndedReply = readonly [
  id: string,
  data: string,
  outcome: EndedJob['outcome'],
  message: string,
  result: string,
  resultBytes: number,
  attemptsMade: string,
  worker: string,
  startedAtMs: string,
  finishedAtMs: string,
  opts: string,
]

/** The ends of tracked jobs, as they wait in the done queues. */
export function createEndedJobs(redis: Redis, keyPrefix: string): Pick<BrokerJobs, 'readEnded' | 'acknowledgeEnded'> {
  return {
    async readEnded(doneQueues, from = 0) {
      const parts = inParts(doneQueues, queuesPerCall)
      const replies = await callScript(
        redis,
        readScript,
        parts.map((part) => ({
          keys: part.map((queue) => queueKeys(keyPrefix, queue).base),
          args: [endsPerRead, mostResultBytes, from, mostSlotResultBytes],
        })),
      )
      const rows = (replies as readonly (readonly (readonly [number, ...EndedReply[]])[])[]).flat()
      return {
        ended: rows.flatMap(([, ...ended], index) => ended.flatMap((reply) => parse(reply, doneQueues[index] ?? ''))),
        ...(rows.some(([waiting]) => waiting > from + endsPerRead) ? { next: from + endsPerRead } : {}),
      }
    },

    async acknowledgeEnded(refs, { dispatcher: name, epoch, holder }) {
      const dispatcher = dispatcherKey(keyPrefix, name)
      const replies = await callScript(
        redis,
        acknowledgeScript,
        inParts(refs, endsPerCall).map((part) => ({
          keys: [
            dispatcher,
            ...part.flatMap(({ id, doneQueue, orphanOf }) => {
              const { base } = queueKeys(keyPrefix, doneQueue)
              return [base, base + id, orphanOf === undefined ? dispatcher : recordKey(keyPrefix, orphanOf)]
            }),
          ],
          args: [epoch, holder, ...part.map(({ orphanOf }) => (orphanOf === undefined ? '' : '1'))],
        })),
      )
      return replies.includes('Fenced') ? 'Fenced' : 'Done'
    },
  }
}

function recordKey(keyPrefix: string, owner: string): string {
  return parseOwner(owner).kind === 'TaskExecution' ? runKey(keyPrefix, owner) : ledgerKey(keyPrefix, owner)
}

function parse(reply: EndedReply, doneQueue: string): EndedJob[] {
  const [id, text, outcome, message, result, resultBytes, attemptsMade, worker, startedAtMs, finishedAtMs, opts] = reply
  const of = ownerOfEnd(text)
  if (of === undefined) return []
  const end = { id, doneQueue, ...endOf({ outcome, message, attemptsMade, worker, startedAtMs, finishedAtMs, opts }) }
  return [of.kind === 'Slot' ? { ...of, ...end, ...slotResult(result) } : { ...of, ...end, ...nodeResult(result, resultBytes) }]
}

/** What BullMQ keeps about the end of a job, each '' where it keeps nothing. */
export type EndTexts = {
  readonly outcome: EndedJob['outcome']
  readonly message: string
  readonly attemptsMade: string
  readonly worker: string
  readonly startedAtMs: string
  readonly finishedAtMs: string
  /** JSON. */
  readonly opts: string
}

export function endOf({
  outcome,
  message,
  attemptsMade,
  worker,
  startedAtMs,
  finishedAtMs,
  opts,
}: EndTexts): Pick<EndedJob, 'outcome' | 'message' | 'attemptsMade' | 'attempts' | 'worker' | 'startedAtMs' | 'finishedAtMs'> {
  const { attempts } = (parseJson(opts) ?? {}) as { readonly attempts?: unknown }
  return {
    outcome,
    ...(message === '' ? {} : { message: message.slice(0, messageLength) }),
    ...(attemptsMade === '' ? {} : { attemptsMade: Number(attemptsMade) }),
    ...(typeof attempts === 'number' ? { attempts } : {}),
    ...(worker === '' ? {} : { worker }),
    ...(startedAtMs === '' ? {} : { startedAtMs: Number(startedAtMs) }),
    ...(finishedAtMs === '' ? {} : { finishedAtMs: Number(finishedAtMs) }),
  }
}

/** As text: people read it. A task that returns nothing has null. */
export function slotResult(result: string): { readonly result?: string } {
  return result === '' || result === 'null' ? {} : { result }
}

function nodeResult(result: string, resultBytes: number): { readonly result?: unknown; readonly resultBytes?: number } {
  return {
    ...(result === '' ? {} : { result: parseJson(result) }),
    ...(resultBytes <= mostResultBytes ? {} : { resultBytes }),
  }
}

type EndOwner =
  | { readonly kind: 'Slot'; readonly owner: string; readonly slot: number }
  | { readonly kind: 'Node'; readonly owner: string; readonly token: string; readonly node: string }

/** Returns undefined for a job that is no done job of this version: it is left alone. */
function ownerOfEnd(text: string): EndOwner | undefined {
  const data = parseJson(text) as Readonly<Record<string, unknown>> | null
  if (data?.['v'] !== 1) return undefined
  const { ledger, slot, run, token, node } = data
  if (typeof ledger === 'string' && typeof slot === 'number') return { kind: 'Slot', owner: ledger, slot }
  if (typeof run === 'string' && typeof token === 'string' && typeof node === 'string') return { kind: 'Node', owner: run, token, node }
  return undefined
}

function parseJson(text: string): unknown {
  try {
    return parseExactly(text)
  } catch {
    return null
  }
}
