/** In place of a queue's name, which never begins with a dot: its runs are objects of the API server. */
export const placeOfExecutions = '.execution'
export const placeOfJobs = '.job'

/** Which template a run was made from, and where it was put: enough to find it when the template has changed. */
export function generationOf(hash: string, queue: string): string {
  return `${hash}/${queue}`
}

export function queueOfGeneration(generation: string): string {
  return generation.slice(generation.indexOf('/') + 1)
}

export function isOfQueue(generation: string): boolean {
  return !queueOfGeneration(generation).startsWith('.')
}

/** Whether the template of the one says how to carry out the runs of the other: any queue is as good as another, an object is not. */
export function isCarriedAlike(a: string, b: string): boolean {
  return isOfQueue(a) ? isOfQueue(b) : queueOfGeneration(a) === queueOfGeneration(b)
}
