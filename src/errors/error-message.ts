const maxDepth = 4

/** An `AggregateError` (Node's answer when neither of two addresses can be reached) has no message of its own. */
function ownMessage(error: unknown): string {
  if (error instanceof AggregateError && error.message === '')
    return error.errors.length > 0 ? ownMessage(error.errors[0]) : 'several errors'
  if (error instanceof Error) return error.message || error.name
  if (typeof error === 'string') return error
  return `a value that is not an error was thrown (${error === null ? 'null' : typeof error})`
}

/** One line for people: the message followed by those of its causes, each said once. Works for whatever was thrown. */
export function errorMessage(error: unknown): string {
  if (error === undefined) return 'undefined was thrown'
  const parts: string[] = []
  for (let at: unknown = error, depth = 0; at !== undefined && depth < maxDepth; at = at instanceof Error ? at.cause : undefined, depth++) {
    const message = ownMessage(at)
    if (!parts.some((part) => part.includes(message))) parts.push(message)
  }
  return parts.join(': ').replace(/\s*\n\s*/g, ' ')
}
