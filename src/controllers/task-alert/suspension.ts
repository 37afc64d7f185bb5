/** What somebody has suspended on purpose, and until when. Pure. */
import type { Suspended } from '../../alerting/index.ts'
import { type KubeObject, type Override, overrideAt, overrideOrigin } from '../../api/index.ts'

export type Suspension = {
  readonly suspended?: Suspended
  /** When it changes by itself (Unix ms). */
  readonly changesAtMs?: number
}

/** As those kinds have it that can be suspended. */
type Suspendable = KubeObject & {
  readonly spec?: { readonly suspend?: boolean; readonly override?: Override & { readonly suspend?: boolean } }
}

/** Of any target: by its override while that has an effect, else by its spec. */
export function suspensionOf({ kind, metadata, spec }: Suspendable, nowMs: number): Suspension {
  const active = overrideAt(spec?.override, nowMs)
  const changes = active?.override.suspend === undefined ? {} : { changesAtMs: nowMs + active.endsInMs }
  const isSuspended = active?.override.suspend ?? spec?.suspend ?? false
  if (!isSuspended) return changes
  const by = active?.override.suspend === undefined ? '(spec.suspend)' : overrideOrigin(active.override)
  return { suspended: { words: `${kind} "${metadata.name}" is suspended ${by}` }, ...changes }
}
