import { describe, expect, it, test } from 'vitest'
import type { CronJobSpec } from '../api/index.ts'
import { buildCronJob, cronJobRunName, describeDifferences, findDifferences, slotOfCronJobRun } from './cron-job.ts'

const template = {
  metadata: { annotations: { note: 'mine' } },
  spec: {
    ttlSecondsAfterFinished: 900,
    template: { spec: { restartPolicy: 'Never' as const, containers: [{ name: 'main', image: 'a:1' }] } },
  },
}
const wanted = {
  namespace: 'team',
  name: 'report',
  labels: { 'taskmill.dev/schedule': 'report' },
  id: 'tm/default/team/report/cron-job',
  owner: undefined,
  schedule: '0 4 * * *',
  timeZone: 'UTC',
  concurrencyPolicy: 'Forbid',
  startingDeadlineSeconds: undefined,
  isSuspended: false,
  template,
  generation: 'a/.cronjob',
} as const

it('the Jobs of a CronJob carry labels and id, and have no TTL until their end is recorded', () => {
  const { metadata, spec } = buildCronJob(wanted)
  expect(metadata).toEqual({ name: 'report', namespace: 'team', labels: wanted.labels, annotations: { 'taskmill.dev/job-id': wanted.id } })
  expect(spec.jobTemplate.metadata).toEqual({
    labels: wanted.labels,
    annotations: {
      note: 'mine',
      'taskmill.dev/job-id': wanted.id,
      'taskmill.dev/template': 'a/.cronjob',
      'taskmill.dev/ttl-seconds-after-finished': '900',
    },
  })
  expect(spec.jobTemplate.spec).not.toHaveProperty('ttlSecondsAfterFinished')
  expect(spec.jobTemplate.spec.template.metadata?.labels).toEqual(wanted.labels)
  expect(spec).not.toHaveProperty('startingDeadlineSeconds')
  expect(spec).toMatchObject({ successfulJobsHistoryLimit: 1_000, failedJobsHistoryLimit: 1_000 })
  expect(buildCronJob({ ...wanted, startingDeadlineSeconds: 5 }).spec.startingDeadlineSeconds).toBe(5)
})

test.each([
  ['report-29700000', 29_700_000 * 60],
  ['report-manual', undefined],
  ['report-2-29700000', undefined],
  ['other-29700000', undefined],
  ['report-29700000-x', undefined],
])('the Job %s is of slot %s', (name, slot) => {
  expect(slotOfCronJobRun('report', name)).toBe(slot)
  if (slot !== undefined) expect(cronJobRunName('report', slot)).toBe(name)
})

describe('differences', () => {
  const { spec } = buildCronJob(wanted)
  const edited = (change: Partial<CronJobSpec>, container: object = {}): CronJobSpec => {
    const pod = { ...spec.jobTemplate.spec.template.spec, containers: [{ name: 'main', image: 'a:1', ...container }] }
    const own = { ...spec.jobTemplate.spec, template: { ...spec.jobTemplate.spec.template, spec: pod } }
    return { ...spec, jobTemplate: { ...spec.jobTemplate, spec: own }, ...change }
  }
  const before = edited({})
  const field = 'spec.jobTemplate.spec.template.spec.containers[0]'

  it.each([
    ['none', edited({}), ''],
    ['a value', edited({ schedule: '0 5 * * *' }), 'spec.schedule is "0 5 * * *", not "0 4 * * *"'],
    ['a field that was added', edited({ startingDeadlineSeconds: 5 }), 'spec.startingDeadlineSeconds was added'],
    ['an image', edited({}, { image: 'a:2' }), `${field}.image is "a:2", not "a:1"`],
    ['what may be secret', edited({}, { env: [{ name: 'TOKEN', value: 's3cret' }] }), `${field}.env was added`],
  ])('%s', (_, theirs, words) => {
    expect(describeDifferences(findDifferences(theirs, before))).toBe(words)
  })

  it('never shows what may hold a secret, and at most three', () => {
    const ours = edited({}, { env: [{ name: 'TOKEN', value: 'old' }] })
    const theirs = edited({ schedule: '1 1 1 1 1', timeZone: 'CET', suspend: true }, { env: [{ name: 'TOKEN', value: 's3cret' }] })
    const words = describeDifferences(findDifferences(theirs, ours))
    expect(words).not.toMatch(/s3cret|old/u)
    expect(words).toMatch(/; 1 more$/u)
    expect(describeDifferences(findDifferences(edited({}, { env: [{ name: 'TOKEN', value: 's3cret' }] }), ours))).toBe(
      `${field}.env[0].value differs`,
    )
  })
})
