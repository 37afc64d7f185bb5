import { setImmediate as nextTurn } from 'node:timers/promises'
import type { KubeObject } from '../api/index.ts'
import { taskmillError } from '../errors/index.ts'
import { parseJson } from '../json/index.ts'
import { toKubeError } from './status-error.ts'

/** One event of a watch. The object of a BOOKMARK has only a resource version, from which it is safe to continue. */
export type WatchEvent<T> = { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: T }

/** Whether this bookmark says that all existing objects have been sent. */
export function isEndOfInitialEvents({ type, object }: WatchEvent<KubeObject>): boolean {
  return type === 'BOOKMARK' && object.metadata.annotations?.['k8s.io/initial-events-end'] === 'true'
}

const newline = 0x0a
/**
 * A flood of events is read in portions of this size, a few milliseconds each, so that other work can run in between.
 */
const portionBytes = 64 * 1024

/**
 * Splits a byte stream at newlines. Splitting bytes, not text, keeps characters whole across chunks. Also yields what
 * follows the last newline.
 */
async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let open: Uint8Array[] = []
  let read = 0
  for await (const chunk of chunks) {
    let from = 0
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
      open.push(chunk.subarray(from, at))
      yield Buffer.concat(open).toString('utf8')
      open = []
      from = at + 1
    }
    if (from < chunk.length) open.push(chunk.subarray(from))
    read += chunk.length
    if (read < portionBytes) continue
    read = 0
    await nextTurn()
  }
  if (open.length > 0) yield Buffer.concat(open).toString('utf8')
}

function eventIn<T>(line: string, label: string): WatchEvent<T> {
  let event: { type?: unknown; object?: unknown }
  try {
    event = parseJson(line) as typeof event
  } catch (cause) {
    throw taskmillError('TM_KUBE_BAD_RESPONSE', `a line of the watch is not JSON (${label})`, { cause })
  }
  switch (event?.type) {
    case 'ERROR':
      throw toKubeError(label, 500, event.object)
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
    case 'BOOKMARK': {
      const metadata = (event.object as Partial<KubeObject> | undefined)?.metadata
      if (typeof metadata?.resourceVersion === 'string') return event as WatchEvent<T>
    }
  }
  throw taskmillError('TM_KUBE_BAD_RESPONSE', `a line of the watch is not a watch event (${label})`)
}

/**
 * Yields the events in the body of a watch, until the server ends it. Throws on an error event, on garbage and on half
 * a line.
 */
export async function* watchEvents<T>(body: AsyncIterable<Uint8Array>, label: string): AsyncGenerator<WatchEvent<T>> {
  for await (const line of lines(body)) if (line !== '') yield eventIn<T>(line, label)
}
