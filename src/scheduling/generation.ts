/** Which template a job was made from, and where it was put: enough to find it when the template has changed. */
export function generationOf(hash: string, queue: string): string {
  return `${hash}/${queue}`
}

export function queueOfGeneration(generation: string): string {
  return generation.slice(generation.indexOf('/') + 1)
}
