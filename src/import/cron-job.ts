import { parseYaml, valueOf, type YamlDocument } from '../lint/index.ts'
import { type Draft, escaped, ImportError, isRecord, isTouchedByClocks, textOf } from './draft.ts'

type Fields = Readonly<Record<string, unknown>>

/** Converts the CronJobs of a text of YAML or JSON documents, lists among them; other objects are passed over. */
export function importCronJobs(text: string): readonly Draft[] {
  const objects = parseYaml(text).flatMap((document) => objectsIn(read(document, text)))
  return objects.filter(({ kind, apiVersion }) => kind === 'CronJob' && textOf(apiVersion).startsWith('batch/')).map(draftOf)
}

/** As kubectl reads it: a time and a number with colons are texts. */
function read(document: YamlDocument, text: string): unknown {
  const refuse = (message: string, offset: number) =>
    new ImportError(`is not YAML: line ${text.slice(0, offset).split('\n').length}: ${message}`)
  const [error] = document.errors
  if (error !== undefined) throw refuse(error.message, error.pos[0])
  const result = valueOf(document)
  if (!result.ok) throw refuse(result.message, result.offset)
  return result.value
}

function objectsIn(value: unknown): readonly Fields[] {
  if (!isRecord(value)) return []
  const { items } = value
  return Array.isArray(items) ? items.flatMap(objectsIn) : [value]
}

/** Fields of a CronJob that are converted, or of which a note is written. Of any other one a note is written too. */
const known = [
  'schedule',
  'timeZone',
  'startingDeadlineSeconds',
  'concurrencyPolicy',
  'suspend',
  'jobTemplate',
  'successfulJobsHistoryLimit',
  'failedJobsHistoryLimit',
]

function draftOf(cronJob: Fields): Draft {
  const metadata = fieldsOf(cronJob['metadata'])
  const spec = fieldsOf(cronJob['spec'])
  const name = textOf(metadata['name'])
  const namespace = typeof metadata['namespace'] === 'string' ? metadata['namespace'] : undefined
  const notes: string[] = []
  const when = whenOf(textOf(spec['schedule']), spec['timeZone'], notes)
  const { startingDeadlineSeconds, concurrencyPolicy, suspend } = spec
  for (const field of ['successfulJobsHistoryLimit', 'failedJobsHistoryLimit']) {
    if (spec[field] !== undefined)
      notes.push(
        `${field} has no counterpart: a Job is kept for job.spec.ttlSecondsAfterFinished after its end; without it a day, or a week if it failed.`,
      )
  }
  for (const field of Object.keys(spec)) if (!known.includes(field)) notes.push(`${field} has no counterpart.`)
  noteMetadata(metadata, notes)
  notes.push(
    'Taskmill keeps a record of the slots in a TaskBroker, also for Kubernetes Jobs: one named default must be in the namespace, or set brokerRef.',
  )
  notes.push('Delete the CronJob, or suspend it, when you apply this: otherwise both run.')
  return {
    origin: `CronJob ${namespace === undefined ? '' : `${namespace}/`}${name}`,
    name,
    namespace,
    notes,
    spec: {
      ...when,
      concurrencyPolicy: concurrencyPolicy ?? 'Allow',
      ...(typeof startingDeadlineSeconds === 'number' && startingDeadlineSeconds > 0 ? { startingDeadlineSeconds } : {}),
      ...(suspend === true ? { suspend } : {}),
      job: jobOf(fieldsOf(spec['jobTemplate']), notes),
    },
  }
}

function whenOf(schedule: string, zone: unknown, notes: string[]): Fields {
  const [, inside, expression = schedule] = /^(?:CRON_)?TZ=(\S+)\s+(.*)$/u.exec(schedule) ?? []
  const every = /^@every\s+(.+)$/u.exec(expression)?.[1]
  if (every !== undefined) {
    notes.push(`A CronJob counts "@every ${every}" from its last run; Taskmill counts everySeconds from 1970-01-01T00:00:00Z.`)
    return { everySeconds: secondsOf(every) }
  }
  const timeZone = typeof zone === 'string' ? zone : (inside ?? 'UTC')
  if (zone === undefined && inside === undefined) {
    notes.push(
      'The CronJob has no timeZone: it goes by the clock of the kube-controller-manager, which is mostly UTC. Set timeZone if it is another.',
    )
  }
  if (isTouchedByClocks(expression, timeZone)) {
    notes.push(
      'On days on which clocks change, a CronJob leaves a skipped time out and runs a repeated one twice; Taskmill runs each time of day once, a skipped one at the end of the gap.',
    )
  }
  return { schedules: [withShortSteps(expression, notes)], timeZone }
}

/** A CronJob takes a step that is longer than its field, and means its first value. */
function withShortSteps(expression: string, notes: string[]): string {
  const sizes = [60, 24, 31, 12, 7]
  const parts = expression.trim().split(/\s+/u)
  if (parts.length !== sizes.length) return expression
  const shortened = parts.map((part, index) => {
    const [, range = '', step] = /^(\*)\/(\d+)$/u.exec(part) ?? []
    return range === '*' && Number(step) > (sizes[index] ?? 0) ? (index === 2 || index === 3 ? '1' : '0') : part
  })
  const text = shortened.join(' ')
  if (text === parts.join(' ')) return expression
  notes.push(
    `"${expression}" has a step that is longer than its field, which a CronJob takes for its first value. Use everySeconds if an interval was meant.`,
  )
  return text
}

/** Seconds of a duration as Go writes it, or NaN. */
function secondsOf(text: string): number {
  const units: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1 }
  if (!/^(?:\d+[hms])+$/u.test(text)) return Number.NaN
  return Array.from(text.matchAll(/(\d+)([hms])/gu), ([, count, unit]) => Number(count) * (units[unit ?? 's'] ?? 1)).reduce(
    (a, b) => a + b,
    0,
  )
}

function noteMetadata(metadata: Fields, notes: string[]): void {
  const { labels, annotations } = metadata
  const own = Object.keys(fieldsOf(annotations)).filter((key) => key !== 'kubectl.kubernetes.io/last-applied-configuration')
  if (Object.keys(fieldsOf(labels)).length > 0 || own.length > 0)
    notes.push('Labels and annotations of the CronJob itself were left out; add those that you need.')
}

/** The template of the Job: what Taskmill refuses is left out, and variables of Kubernetes are kept for Kubernetes. */
function jobOf(template: Fields, notes: string[]): Fields {
  const { suspend, manualSelector, selector, ttlSecondsAfterFinished: ttl, template: pods, ...spec } = fieldsOf(template['spec'])
  if (suspend === true) notes.push('job.spec.suspend was left out: the Job would never start.')
  if (manualSelector !== undefined || selector !== undefined)
    notes.push('job.spec.manualSelector and selector were left out: every run is a Job with pods of its own.')
  if (typeof ttl === 'number' && ttl < 600)
    notes.push(`job.spec.ttlSecondsAfterFinished was ${ttl}; at least 600 is needed, so that no end is lost.`)
  const kept = typeof ttl === 'number' ? { ttlSecondsAfterFinished: Math.max(600, ttl) } : {}
  const { creationTimestamp: _, ...metadata } = fieldsOf(template['metadata'])
  return {
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    spec: { ...spec, ...kept, template: withEscapedVariables(fieldsOf(pods)) },
  }
}

function withEscapedVariables(pods: Fields): Fields {
  const { creationTimestamp: _, ...metadata } = fieldsOf(pods['metadata'])
  const spec = fieldsOf(pods['spec'])
  const containersOf = (field: string): Fields => {
    const list = spec[field]
    return Array.isArray(list) ? { [field]: list.map((each) => withEscapedContainer(fieldsOf(each))) } : {}
  }
  return {
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    spec: { ...spec, ...containersOf('initContainers'), ...containersOf('containers') },
  }
}

function withEscapedContainer(container: Fields): Fields {
  const { command, args, env } = container
  const variables = Array.isArray(env)
    ? { env: env.map((each) => (isRecord(each) && 'value' in each ? { ...each, value: escaped(each['value']) } : each)) }
    : {}
  return {
    ...container,
    ...(command === undefined ? {} : { command: escaped(command) }),
    ...(args === undefined ? {} : { args: escaped(args) }),
    ...variables,
  }
}

function fieldsOf(value: unknown): Fields {
  return isRecord(value) ? value : {}
}
