import type { Broker, EndedJob } from '../../broker/index.ts'

/** As many as are worked on at once. */
const enough = 100

/**
 * The ends in a done queue, oldest first, until enough wanted ones are among them: whatever stands before those, for which nobody waits,
 * hides none. `truncated`: there are more. What is removed from the queue meanwhile can hide one; then ask again.
 */
export async function findEnds(
  broker: Pick<Broker, 'readEnded'>,
  doneQueue: string,
  isWanted: (job: EndedJob) => boolean,
): Promise<{ readonly ended: readonly EndedJob[]; readonly wanted: readonly EndedJob[]; readonly truncated: boolean }> {
  const found = new Map<string, EndedJob>()
  for (let from = 0; ;) {
    const page = await broker.readEnded([doneQueue], from)
    for (const job of page.ended) found.set(job.id, job)
    const ended = [...found.values()]
    const wanted = ended.filter(isWanted)
    if (page.next === undefined || wanted.length >= enough) return { ended, wanted, truncated: page.next !== undefined }
    from = page.next
  }
}
