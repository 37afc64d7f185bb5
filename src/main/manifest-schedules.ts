/** Reads the TaskSchedules of manifests, as `taskmill lint` understands them. */
import type { WrittenSchedules } from '../cli/index.ts'
import { errorMessage } from '../errors/index.ts'
import { findSchedules, renderReport } from '../lint/index.ts'
import { readManifests } from './manifest-files.ts'

/** Throws if there is nothing at a path. Warnings are for lint. */
export function readSchedules(
  paths: readonly string[],
  { namespace, nowMs }: { readonly namespace: string | undefined; readonly nowMs: number },
): WrittenSchedules {
  const sources = paths.flatMap((path) => {
    try {
      return readManifests(path).sources
    } catch (error) {
      throw new Error(`cannot read ${path}: ${errorMessage(error)}`, { cause: error })
    }
  })
  const { schedules, findings } = findSchedules(sources, { isComplete: false, nowMs, namespace })
  const errors = findings.filter(({ severity }) => severity === 'error')
  const text = renderReport({ findings: errors, manifests: 0, files: 0, unjudged: [] }, 'text', { isColoured: false })
  return { schedules, faults: text.split('\n').filter((line) => line !== '') }
}
