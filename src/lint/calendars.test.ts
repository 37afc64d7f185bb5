import { describe, expect, it } from 'vitest'
import { lint } from './lint.ts'
import { summarizeReport } from './report.ts'

describe('calendars', () => {
  const scheduleWith = (calendars: string, name = 'nightly') => `
apiVersion: taskmill.dev/v1alpha1
kind: TaskSchedule
metadata: { name: ${name} }
spec:
  schedules: ["0 1 * * *"]
  calendars: ${calendars}
  task: { type: backup, queue: files }
`
  const inFile = scheduleWith('{ exclude: [{ name: holidays, configMapRef: { name: holidays, key: dates } }] }')
  const configMap = (dates: string, name = 'holidays') => `
---
apiVersion: v1
kind: ConfigMap
metadata: { name: ${name} }
data: { dates: ${JSON.stringify(dates)} }
`
  const nowMs = Date.UTC(2026, 10, 30)
  const judge = (text: string, isComplete = false) => lint([{ path: 'a.yaml', text, isNamed: true }], { isComplete, nowMs })
  const messages = (text: string, isComplete = false) =>
    judge(text, isComplete)
      .findings.filter(({ field }) => field?.startsWith('spec.calendars'))
      .map(({ severity, field, message }) => [severity, field, message])

  it('a ConfigMap among the manifests is read, and is judged thereby', () => {
    expect(judge(inFile + configMap('12-25\n'))).toMatchObject({ findings: [], unjudged: [] })
    expect(messages(inFile + configMap('12-25\n12-32\n'))).toEqual([
      [
        'error',
        'spec.calendars.exclude[0]',
        'ConfigMap "holidays", key "dates", line 2: "12-32" is a day that does not exist; correct its month or its day',
      ],
    ])
    expect(messages(inFile + configMap('01-01/12-31'))).toEqual([
      ['error', 'spec.calendars', 'exclude leaves no slot of this schedule; correct exclude, or the times of the schedule'],
    ])
  })

  it('one that is not here is counted as not judged, and missing where everything is here', () => {
    expect(judge(inFile + configMap('12-25', 'others'))).toMatchObject({
      findings: [],
      unjudged: [
        { reason: 'Calendar', path: 'a.yaml', line: 7, kind: 'holidays' },
        { reason: 'OtherKind', path: 'a.yaml', kind: 'ConfigMap' },
      ],
    })
    expect(summarizeReport(judge(inFile))).toContain('Not judged: 1 calendar in a ConfigMap that is not here: holidays')
    expect(messages(inFile, true)).toEqual([
      [
        'error',
        'spec.calendars.exclude[0].configMapRef.name',
        'ConfigMap "holidays" is not among these manifests; create it, or correct the name',
      ],
    ])
  })

  it('what leaves only the past is a warning', () => {
    const past = (dates: string) => scheduleWith(`{ include: [{ name: days, dates: ["${dates}"] }] }`)
    const message = 'leaves only slots of the past, so nothing runs any more; add later dates, or remove the schedule'
    expect(messages(past('2026-11-29'))).toEqual([['warning', 'spec.calendars', message]])
    expect(messages(past('2026-12-01'))).toEqual([])
    expect(lint([{ path: 'a.yaml', text: past('2026-11-29'), isNamed: true }], { isComplete: false }).findings).toEqual([])
  })
})
