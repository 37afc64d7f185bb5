/**
 * Calendars, as far as one can tell before they are in a cluster: files in ConfigMaps that are among the manifests, and calendars that leave nothing
 * for the future.
 */
import type { TaskSchedule } from '../api/index.ts'
import { configMapsOf, type ConfigMapReading, slotsLeftOf } from '../plans/index.ts'
import { isObject, type Written } from './documents.ts'
import { canShareNamespace, isBeside, type Known, type Noticed, ofKind } from './neighbours.ts'
import type { Unjudged } from './report.ts'

/** A ConfigMap among the manifests. */
export type WrittenConfigMap = Pick<Known, 'namespace' | 'written'> & {
  readonly name: string
  readonly data: Readonly<Record<string, string>>
}

export type CalendarOptions = {
  readonly isComplete: boolean
  /** The present time (Unix ms). Without it, no time counts as past. */
  readonly nowMs?: number | undefined
}

export function configMapOf(written: Written, given: string | undefined): WrittenConfigMap | undefined {
  const { apiVersion, kind, metadata, data } = written.value
  if (apiVersion !== 'v1' || kind !== 'ConfigMap' || !isObject(metadata) || typeof metadata['name'] !== 'string') return undefined
  const own = typeof metadata['namespace'] === 'string' ? metadata['namespace'] : undefined
  const texts = Object.entries(isObject(data) ? data : {}).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  return { name: metadata['name'], namespace: given ?? own, written, data: Object.fromEntries(texts) }
}

type CalendarFindings = {
  readonly noticed: readonly Noticed[]
  readonly unjudged: readonly Unjudged[]
  /** The ConfigMaps that were judged as calendars. */
  readonly judged: ReadonlySet<Written>
  /** What is known of the ConfigMaps that a schedule names. */
  readonly filesOf: ReadonlyMap<Known, ReadonlyMap<string, ConfigMapReading>>
}

export function judgeCalendars(all: readonly Known[], configMaps: readonly WrittenConfigMap[], options: CalendarOptions): CalendarFindings {
  const noticed: Noticed[] = []
  const unjudged: Unjudged[] = []
  const judged = new Set<Written>()
  const filesOf = new Map<Known, ReadonlyMap<string, ConfigMapReading>>()
  for (const known of ofKind(all, 'TaskSchedule')) {
    if (known.object === undefined) continue
    const schedule = known.object as TaskSchedule
    const found = new Map<string, ConfigMapReading>()
    for (const { name, field } of configMapsOf(schedule)) {
      if (found.has(name)) continue
      const meant = configMaps.find((each) => each.name === name && canShareNamespace(known, each) && isBeside(known, each))
      if (meant !== undefined) {
        judged.add(meant.written)
        found.set(name, { kind: 'Data', data: meant.data })
      } else if (options.isComplete) {
        noticed.push({ known, severity: 'error', field: `${field}.configMapRef.name`, message: notHere(name) })
      } else {
        unjudged.push({
          reason: 'Calendar',
          path: known.written.source.path,
          line: known.written.at(`${field}.configMapRef`).line,
          kind: name,
        })
      }
    }
    filesOf.set(known, found)
    noticed.push(...judgeSlots(known, schedule, found, options))
  }
  return { noticed, unjudged, judged, filesOf }
}

function notHere(name: string): string {
  return `ConfigMap "${name}" is not among these manifests; create it, or correct the name`
}

function judgeSlots(
  known: Known,
  schedule: TaskSchedule,
  files: ReadonlyMap<string, ConfigMapReading>,
  { nowMs }: CalendarOptions,
): readonly Noticed[] {
  if (schedule.spec.calendars === undefined) return []
  const left = slotsLeftOf(schedule, files)
  if (left?.kind === 'Unusable') return [{ known, severity: 'error', field: left.field, message: left.message }]
  if (left?.kind !== 'Left' || nowMs === undefined) return []
  const now = Math.floor(nowMs / 1000)
  const { calendars: _, ...spec } = schedule.spec
  const without = slotsLeftOf({ ...schedule, spec }, files)
  if (left.plan.slots.next(now) !== undefined || without?.kind !== 'Left' || without.plan.slots.next(now) === undefined) return []
  const message = 'leaves only slots of the past, so nothing runs any more; add later dates, or remove the schedule'
  return [{ known, severity: 'warning', field: 'spec.calendars', message }]
}
