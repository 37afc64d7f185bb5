import type { DispatchProof } from '../../broker/index.ts'

/** What one process remembers of a record between two visits. Losing it costs one read. */
export type Memory<Record> = {
  /** As it is stored, as far as is known; undefined: it was not read in this term, or not since something left it in doubt. */
  record: Record | undefined
  /** The epoch in which that was learned: between two terms another process may have written. */
  epoch?: number | undefined
}

/**
 * What a kind wants to do next. `Record`: a compare-and-swap write to the record. `Effects`: something outside of it, idempotent by id. `Ends`:
 * the acknowledgement of ends that the record holds, or that will never be recorded.
 */
export type Step<Action> =
  | { readonly kind: 'Wait'; readonly untilMs?: number | undefined }
  | { readonly kind: 'Act'; readonly changes: 'Record' | 'Effects' | 'Ends'; readonly action: Action }

/**
 * What was seen of one effect. `Fenced`: another process holds the dispatch lease, and nothing was done. `Deleted`: nothing is recorded
 * any more. `stopped`: the visit cannot continue, for this reason.
 */
export type Acted<Record, Happened, Stop> = {
  readonly outcome: 'Done' | 'Fenced' | 'Deleted' | Stopped<Stop>
  /** What is stored now, by the broker's own answer. */
  readonly record?: Record | undefined
  readonly happened?: readonly Happened[] | undefined
}
export type Stopped<Stop> = { readonly stopped: Stop; readonly againAfterMs?: number | undefined }

/**
 * What a kind contributes: the loop is the engine's.
 *
 * The engine relies on: `observe` reads the record only when it is given none; `step` is pure; a write is refused by the broker unless the
 * record is as observed and the proof is the newest; an effect that is repeated does nothing.
 */
export type Kind<Record, Observed extends { readonly record: Record }, Action, Happened, Stop> = {
  /** One value: object, record, ends, effects, clock. `Unwanted`: the object is no longer what the visit was made for. */
  observe(known: Record | undefined): Promise<Observed | 'Unwanted'>
  step(observed: Observed): Step<Action>
  act(observed: Observed, action: Action): Promise<Acted<Record, Happened, Stop>>
}

/**
 * Called with the name of a kill point (`before place`, `after place`): before and after each append, effect and write that must not be lost
 * or repeated. It does nothing in the product; a fault test ends the process in it.
 */
export type KillPointHook = (point: string) => void

/**
 * How a visit ended. `Waiting`: until a moment of the broker's clock, or until something happens. `Busy`: there is more to do, and other
 * objects are served first. `Failed`: an error left doubt, and everything is read again.
 */
export type VisitResult<Stop> =
  | { readonly kind: 'Waiting'; readonly untilMs: number | undefined }
  | { readonly kind: 'Busy' | 'Deleted' | 'Fenced' | 'Unwanted' }
  | ({ readonly kind: 'Stopped' } & Stopped<Stop>)
  | { readonly kind: 'Failed'; readonly error: unknown }

/** `happened` holds what took place, in order, also when the visit failed half-way. */
export type VisitReport<Happened, Stop> = { readonly result: VisitResult<Stop>; readonly happened: readonly Happened[] }

/** After so many steps a visit ends, so that other objects get a worker of the controller. */
const maxSteps = 100

/**
 * Observes, asks for a step, carries it out, and begins again, until the step is to wait. It decides nothing, and it does not throw.
 *
 * Guarantees: a step is decided on the record as the broker returned it last in this term. After anything that leaves doubt (an error, a
 * conflict, a fence, another epoch) the record is read again before the next step. Ends are acknowledged, which removes them, only if the
 * broker returned the record in this very visit: after a restore of the broker they may have to be recorded again. A record at rest costs no
 * round trip.
 */
export async function visitRecord<Record, Observed extends { readonly record: Record }, Action, Happened, Stop>(
  kind: Kind<Record, Observed, Action, Happened, Stop>,
  memory: Memory<Record>,
  { proof, signal }: { readonly proof: DispatchProof; readonly signal: AbortSignal },
): Promise<VisitReport<Happened, Stop>> {
  const happened: Happened[] = []
  const end = (result: VisitResult<Stop>): VisitReport<Happened, Stop> => ({ result, happened })
  try {
    let isTold = false
    for (let count = 0; count < maxSteps; count++) {
      signal.throwIfAborted()
      if (memory.epoch !== proof.epoch) Object.assign(memory, { record: undefined, epoch: proof.epoch })
      isTold ||= memory.record === undefined
      const observed = await kind.observe(memory.record)
      if (observed === 'Unwanted') return end({ kind: 'Unwanted' })
      memory.record = observed.record
      const step = kind.step(observed)
      if (step.kind === 'Wait') return end({ kind: 'Waiting', untilMs: step.untilMs })
      if (step.changes === 'Ends' && !isTold) {
        memory.record = undefined
        continue
      }
      // If the answer to a write is lost, it is unknown what is stored.
      if (step.changes === 'Record') memory.record = undefined
      const acted = await kind.act(observed, step.action)
      happened.push(...(acted.happened ?? []))
      if (acted.record !== undefined) {
        memory.record = acted.record
        isTold = true
      }
      if (acted.outcome === 'Deleted') return end({ kind: 'Deleted' })
      if (acted.outcome === 'Fenced') {
        memory.record = undefined
        return end({ kind: 'Fenced' })
      }
      if (acted.outcome !== 'Done') return end({ kind: 'Stopped', ...acted.outcome })
    }
    return end({ kind: 'Busy' })
  } catch (error) {
    memory.record = undefined
    return end({ kind: 'Failed', error })
  }
}
