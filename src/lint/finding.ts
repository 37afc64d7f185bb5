/** An error is refused by the API server or by a controller; a warning may be meant. */
export type Severity = 'error' | 'warning'

/** One thing to correct, and where it is written. Lines and columns begin with 1. */
export type Finding = {
  readonly path: string
  readonly line: number
  readonly column: number
  readonly severity: Severity
  /** `WorkerPool/email`; missing where there is no object yet. */
  readonly object?: string
  /** As the API server writes paths: `spec.queues[0].name`; missing where the text is no YAML. */
  readonly field?: string
  /** What is wrong, and what to write instead. */
  readonly message: string
}

/** A file, or standard input, as it was read. */
export type Source = {
  readonly path: string
  readonly text: string
  /** Named by a person, and not found in a folder: what cannot be judged in it is then an error. */
  readonly isNamed: boolean
}

export type Report = {
  /** By file and position. */
  readonly findings: readonly Finding[]
  /** Objects of taskmill.dev that were judged. */
  readonly manifests: number
  readonly files: number
  /** Documents of other kinds. */
  readonly skipped: number
  /** Files that a kustomization.yaml uses as patches, which are no whole objects. */
  readonly patches: number
}
