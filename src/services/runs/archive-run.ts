import type { Broker, DispatchProof } from '../../broker/index.ts'
import type { OwnerMarker } from '../../contract/index.ts'
import { archiveOf, createRun, foldRun } from '../../graph/index.ts'
import type { RunDeps } from './run-log.ts'

export type RunToArchive = {
  readonly broker: Broker
  readonly proof: DispatchProof
  /** `runName(installation, namespace, name)`. */
  readonly run: string
  readonly marker: OwnerMarker
}

/**
 * Replaces the log of a run that ended seven days ago by one entry, which holds outcome and token: a log lives as long as its object, and
 * people read the status. Nothing happens to any other run, or to one whose log a later version wrote. Returns whether it need not be tried
 * again: false after a write that was refused.
 */
export async function archiveRun(
  { brokerClock, log, reachPoint = () => undefined }: Pick<RunDeps, 'brokerClock' | 'log' | 'reachPoint'>,
  { broker, proof, run: name, marker }: RunToArchive,
): Promise<boolean> {
  const run = createRun()
  for (let length = Infinity; run.length < length;) {
    const stored = await brokerClock.timed(broker, () => broker.readRun(name, run.length))
    const folded = foldRun(stored.entries, run)
    if (!folded.ok) {
      log.debug({ run: name, error: folded.message }, 'the log of a run cannot be archived')
      return true
    }
    length = stored.entries.length === 0 ? run.length : stored.length
  }
  const entry = archiveOf(run, brokerClock.now(broker))
  if (entry === undefined) return true
  const { endedAtMs: _, ...archived } = marker
  reachPoint('before archive')
  const answer = await broker.archiveRun({
    run: name,
    expectedLength: run.length,
    entry: JSON.stringify(entry),
    marker: archived,
    proof,
  })
  reachPoint('after archive')
  return answer.outcome === 'Written'
}
