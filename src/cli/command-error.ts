/** What keeps a command from being carried out, in words for whoever typed it. `isUsage`: they have to type something else. */
export class CommandError extends Error {
  readonly isUsage: boolean

  constructor(message: string, { isUsage = false } = {}) {
    super(message)
    this.isUsage = isUsage
  }
}

export function usageError(message: string): CommandError {
  return new CommandError(message, { isUsage: true })
}
