/** What a run waits for, in the few words of a column: pure. */
import { kubeTime } from '../../api/index.ts'
import type { PlacedState } from '../../broker/index.ts'
import { type NodeView, viewNodes } from '../../graph/index.ts'
import { sourceOf } from './source.ts'
import type { Whereabout, World } from './world.ts'

const shownNodes = 3

/** `summary, send queued in ai_tasks (no pool) until 04:10; notify running`; of a run that cannot go on, what is in its way. */
export function waitingOf({ execution, broker, situation, run, whereabouts }: World): string | undefined {
  switch (situation.kind) {
    case 'Hopeless':
      return undefined
    case 'NoSource':
      return `${sourceOf(execution)} (not found)`
    case 'NoBroker':
      return `tmb/${broker} (not found)`
    case 'NotUsable':
      return `tmb/${broker} (not usable)`
    case 'Unreachable':
      return `tmb/${broker} (unreachable)`
    case 'Unreadable':
      return `tmb/${broker} (log unreadable)`
    case 'Standby':
      return situation.heldBy === undefined ? `tmb/${broker} (standby)` : `tmb/${broker} (another cluster dispatches)`
    case 'Undecided':
      return run === undefined ? `tmb/${broker} (claiming its turn)` : activeNodes(viewNodes(run), whereabouts)
    case 'Driven':
      return run === undefined ? undefined : activeNodes(viewNodes(run), whereabouts)
  }
}

/** The nodes that have begun, where they are, and by when they have to have ended; those of which the same is to be said together. */
export function activeNodes(nodes: readonly NodeView[], whereabouts: World['whereabouts']): string | undefined {
  const active = nodes.filter(({ state }) => state === 'Running' || state === 'Stopping')
  if (active.length === 0) return undefined
  const groups = Map.groupBy(active.slice(0, shownNodes), ({ name, untilMs }) => {
    const where = whereabouts.get(name)
    return `${where === undefined ? '' : ` ${where.words}`}${untilMs === undefined ? '' : ` until ${kubeTime(untilMs).slice(11, 16)}`}`
  })
  const shown = [...groups].map(([words, those]) => `${those.map(({ name }) => name).join(', ')}${words}`)
  const more = active.length - shownNodes
  return [...shown, ...(more > 0 ? [`${more} more`] : [])].join('; ').slice(0, 256)
}

/** What is known of a queue, besides its jobs. */
export type QueueFacts = {
  /** The TaskQueue that pauses it. */
  readonly suspendedBy?: string | undefined
  /** The pools of the namespace that consume it; `trouble` is the reason of one that is not Ready. */
  readonly pools: readonly { readonly name: string; readonly trouble?: string | undefined }[]
}

/** Of a job: where it is, and if it does not get on, what is in its way as far as this namespace shows. */
export function whereaboutOf(
  job: Pick<PlacedState, 'state' | 'startedAtMs' | 'isPaused'>,
  queue: string,
  { suspendedBy, pools }: QueueFacts,
): Whereabout | undefined {
  if (job.state === 'Active') return { words: 'running', detail: 'a worker runs it' }
  if (job.state !== 'Waiting') return undefined
  const queued = job.startedAtMs === undefined ? `queued in ${queue}` : `to be tried again in ${queue}`
  if (suspendedBy !== undefined) {
    return { words: `${queued} (suspended)`, detail: `${queued}, which is suspended. Next: kubectl describe tq ${suspendedBy}` }
  }
  if (job.isPaused === true) {
    return { words: `${queued} (paused)`, detail: `${queued}, which somebody paused. Next: resume it where it was paused` }
  }
  if (pools.length === 0) {
    const detail = `${queued}; no WorkerPool of this namespace consumes it. Next: create one, unless other workers do`
    return { words: `${queued} (no pool)`, detail }
  }
  const [troubled] = pools
  if (troubled?.trouble === undefined || pools.some(({ trouble }) => trouble === undefined)) return { words: queued, detail: queued }
  const detail = `${queued}; pool "${troubled.name}": ${troubled.trouble}. Next: kubectl describe wp ${troubled.name}`
  return { words: `${queued} (pool ${troubled.name}: ${troubled.trouble})`, detail }
}
