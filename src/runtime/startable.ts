/** A part of the process that runs from `start` until the signal aborts. An informer and a controller are such parts. */
export type Startable = {
  /** For logs. */
  readonly name?: string
  /** Begins; returns at once. */
  start(signal: AbortSignal): void
  /** Resolves when it is ready to be relied on. Without it, it is ready at once. */
  readonly synced?: Promise<void>
  /** Resolves when it has ended after the abort; a rejection brings the whole process down. Without it, it ends with the abort. */
  readonly stopped?: Promise<void>
}
