/** The CronJob of a schedule: how it is built, what it differs by, and the names of its Jobs. */
import type { CronJob, CronJobSpec, JobTemplate, OwnerReference } from '../api/index.ts'
import { annotations, type Slot } from '../contract/index.ts'
import { buildJob } from './job-body.ts'

/** A CronJob to create or keep in step. */
export type WantedCronJob = {
  readonly namespace: string
  readonly name: string
  /** Set on the CronJob, on its Jobs and on their pods. */
  readonly labels: Readonly<Record<string, string>>
  /** The id by which it and its Jobs are recognized. */
  readonly id: string
  readonly owner: OwnerReference | undefined
  readonly schedule: string
  readonly timeZone: string
  readonly concurrencyPolicy: 'Allow' | 'Forbid' | 'Replace'
  readonly startingDeadlineSeconds: number | undefined
  readonly isSuspended: boolean
  readonly template: JobTemplate
  /** Names the template. */
  readonly generation: string
}

/**
 * So many ended Jobs the CronJob controller leaves. Taskmill sets a TTL on each once its end is recorded, so that what is left are those that
 * ended while no operator ran: at one a minute, the ends of 16 hours.
 */
const keptJobs = 1_000

export function buildCronJob(wanted: WantedCronJob): Pick<CronJob, 'metadata' | 'spec'> {
  const { namespace, name, labels, id, owner, schedule, timeZone, concurrencyPolicy, startingDeadlineSeconds, isSuspended } = wanted
  const { metadata, spec } = buildJob({ id, namespace, name, labels, template: wanted.template, generation: wanted.generation })
  return {
    metadata: {
      name,
      namespace,
      labels,
      annotations: { [annotations.jobId]: id },
      ...(owner === undefined ? {} : { ownerReferences: [owner] }),
    },
    spec: {
      schedule,
      timeZone,
      concurrencyPolicy,
      ...(startingDeadlineSeconds === undefined ? {} : { startingDeadlineSeconds }),
      suspend: isSuspended,
      successfulJobsHistoryLimit: keptJobs,
      failedJobsHistoryLimit: keptJobs,
      jobTemplate: {
        metadata: {
          ...(metadata.labels && { labels: metadata.labels }),
          ...(metadata.annotations && { annotations: metadata.annotations }),
        },
        spec,
      },
    },
  }
}

/** Whether it is the CronJob of this id, whoever has changed its labels since. */
export function isCronJobFor({ metadata }: CronJob, id: string): boolean {
  return metadata.annotations?.[annotations.jobId] === id
}

/** The name that the CronJob controller gives to the Job of a slot. */
export function cronJobRunName(cronJob: string, slot: Slot): string {
  return `${cronJob}-${Math.floor(slot / 60)}`
}

/** The slot of a Job of the CronJob; undefined for one that someone has made of it by hand. */
export function slotOfCronJobRun(cronJob: string, name: string): Slot | undefined {
  const minutes = name.startsWith(`${cronJob}-`) ? name.slice(cronJob.length + 1) : ''
  return /^\d{8,9}$/u.test(minutes) ? Number(minutes) * 60 : undefined
}

/** A field, with what it is and what it should be; undefined: it is missing. */
export type Difference = { readonly field: string; readonly theirs: unknown; readonly ours: unknown }

/** Returns the fields in which two specs differ, in the order of ours. */
export function findDifferences(theirs: CronJobSpec, ours: CronJobSpec): readonly Difference[] {
  return differencesIn(theirs, ours, 'spec')
}

function differencesIn(theirs: unknown, ours: unknown, field: string): readonly Difference[] {
  if (isFields(theirs) && isFields(ours)) {
    const names = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])]
    return names.flatMap((name) => differencesIn(theirs[name], ours[name], `${field}.${name}`))
  }
  if (Array.isArray(theirs) && Array.isArray(ours) && theirs.length === ours.length) {
    return ours.flatMap((each: unknown, index) => differencesIn(theirs[index], each, `${field}[${index}]`))
  }
  return JSON.stringify(theirs) === JSON.stringify(ours) ? [] : [{ field, theirs, ours }]
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const shownDifferences = 3
const longestValue = 64

/** `spec.schedule is "0 5 * * *", not "0 4 * * *"; …`, of the first three. */
export function describeDifferences(differences: readonly Difference[]): string {
  const shown = differences.slice(0, shownDifferences).map(describeDifference)
  const more = differences.length - shown.length
  return [...shown, ...(more === 0 ? [] : [`${more} more`])].join('; ')
}

/** What may hold a secret is named and not shown. */
const secretive = /\.(?:env|args|command|annotations)\b/u

function describeDifference({ field, theirs, ours }: Difference): string {
  if (theirs === undefined) return `${field} is missing`
  if (ours === undefined) return `${field} was added`
  const [is, not] = [JSON.stringify(theirs), JSON.stringify(ours)]
  const isShown = !secretive.test(field) && is.length <= longestValue && not.length <= longestValue
  return isShown ? `${field} is ${is}, not ${not}` : `${field} differs`
}
