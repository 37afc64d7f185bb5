/** `taskmill next -f`: slots of manifests, and what becomes of them, without a cluster. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runCommand } from '../cli/index.ts'
import { fakeClock } from '../clock/index.ts'
import { lintMain } from './lint.ts'
import { readSchedules } from './manifest-schedules.ts'

const nowMs = Date.parse('2027-03-27T12:00:00Z')
let folder: string
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'taskmill-next-'))))
afterAll(() => rmSync(folder, { recursive: true }))

function written(name: string, ...documents: readonly string[]): string {
  const path = join(folder, name)
  writeFileSync(path, documents.join('---\n'))
  return path
}

const schedule = (name: string, spec: string, metadata = ''): string =>
  `apiVersion: taskmill.dev/v1alpha1\nkind: TaskSchedule\nmetadata: {name: ${name}${metadata}}\nspec: {${spec}, task: {type: a, queue: q}}\n`
const nightly = schedule('nightly', 'schedules: ["30 2 * * *"], timeZone: Europe/Berlin')
const often = schedule('often', 'everySeconds: 60, concurrencyPolicy: Forbid')

async function next(...argv: readonly string[]) {
  let [out, err] = ['', '']
  const code = await runCommand('next', argv, {
    connect: () => Promise.reject(new Error('no cluster here')),
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    clock: fakeClock(nowMs),
    readText: () => Promise.reject(new Error('no file here')),
    readSchedules: (paths, namespace) => Promise.resolve(readSchedules(paths, { namespace, nowMs })),
    stop: new AbortController().signal,
    program: 'taskmill',
  })
  return { code, out, err }
}

it('lists the slots of each schedule of a file in the words of lint --next', async () => {
  const path = written('two.yaml', nightly, often)
  let linted = ''
  lintMain({ argv: ['--next', '3', path], write: { out: (text) => void (linted += text), err: () => undefined }, isColoured: false, nowMs })
  expect(linted).toContain('Sun 2027-03-28 03:00  clocks skip 02:00 to 03:00: 02:30 runs at the end of the gap')
  expect(await next('-f', path, '--count', '3')).toEqual({ code: 0, out: linted, err: '' })
  // By name, of the folder, from another time on.
  const one = await next('tsch/often', '--filename', folder, '--after', '2027-01-01T00:00:30Z', '--count', '1')
  expect(one).toMatchObject({ code: 0, err: '' })
  expect(one.out).toMatch(/two\.yaml TaskSchedule\/often: every 60s\n {2}SLOT .*\n {2}2027-01-01T00:01:00Z /u)
})

it('tells what happens to each slot if runs take so long, or no operator runs', async () => {
  const path = written('often.yaml', often)
  const { out } = await next('-f', path, '--count', '3', '--takes', '90s')
  expect(out).toBe(`${path} TaskSchedule/often: every 60s
  SLOT                  LOCAL TIME            IF EACH RUN TAKES 1m30s
  2027-03-27T12:01:00Z  Sat 2027-03-27 12:01  runs until 12:02:30
  2027-03-27T12:02:00Z  Sat 2027-03-27 12:02  missed (Overlap)
  2027-03-27T12:03:00Z  Sat 2027-03-27 12:03  runs until 12:04:30
`)
  const outage = '2027-03-27T12:00:30Z/2027-03-27T12:02:40Z'
  const { out: after } = await next('-f', path, '--count', '3', '--outage', outage)
  expect(after.match(/ {2}(?:missed|waits|runs).*$/gmu)).toEqual([
    '  missed (Superseded)',
    '  waits 40s, runs until 12:03:40',
    '  missed (Overlap)',
  ])
})

it('a slot of before counts if its run, which jitterSeconds delays, is still to come', async () => {
  const path = written('jitter.yaml', schedule('jittered', 'everySeconds: 600, jitterSeconds: 300', ', namespace: acme'))
  const { out } = await next('-f', path, '--after', '2026-12-01T12:00:00Z', '--count', '2', '--takes', '2m')
  expect(out.split('\n').slice(2, 4)).toEqual([
    '  2026-12-01T12:00:00Z  Tue 2026-12-01 12:00  2026-12-01T12:03:07Z  runs until 12:05:07',
    '  2026-12-01T12:10:00Z  Tue 2026-12-01 12:10  2026-12-01T12:14:56Z  runs until 12:16:56',
  ])
})

it('tells nothing about runs that a CronJob starts', async () => {
  const job = 'job: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}}'
  const path = written(
    'cron-job.yaml',
    often,
    schedule('cron', `engine: CronJob, schedules: ["0 4 * * *"], ${job}`).replace(', task: {type: a, queue: q}', ''),
  )
  const note = 'engine CronJob starts the runs by rules of its own; --takes, --outage and -o svg tell those of the engine Taskmill'
  const { code, out } = await next('-f', path, '--count', '1', '--takes', '90s')
  expect(code).toBe(0)
  expect(out).toContain(`TaskSchedule/cron: 0 4 * * * in UTC\n  ${note}\n  SLOT                  LOCAL TIME\n  2027-03-28T04:00:00Z`)
  expect(out).toContain('runs until 12:02:30')
  expect(await next('tsch/cron', '-f', path, '-o', 'svg')).toMatchObject({ code: 1, err: expect.stringContaining(note) })
})

it('draws one schedule as a picture', async () => {
  const { code, out } = await next('-f', written('nightly.yaml', nightly), '-o', 'svg')
  expect(code).toBe(0)
  expect(out).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^]*<\/svg>\n$/u)
  expect(out).toContain('tsch/nightly: 30 2 * * * in Europe/Berlin')
  expect(out).toContain('clocks go forward')
})

it('H follows from the namespace: of -n as kubectl takes it, of the manifest before that', async () => {
  const path = written('hashed.yaml', schedule('digest', 'schedules: ["H 2 * * *"]'))
  expect((await next('-f', path)).out).toContain('digest: 2 2 * * * in UTC (what H stands for depends on the namespace')
  expect((await next('-f', path, '-n', 'acme')).out).toContain('digest: 3 2 * * * in UTC\n')
  const own = written('own.yaml', schedule('digest', 'schedules: ["H 2 * * *"]', ', namespace: acme'))
  expect((await next('-f', own, '-n', 'other')).out).toContain('digest: 3 2 * * * in UTC\n')
})

it('reads the ConfigMaps of calendars from the same files, and says which one is not there', async () => {
  const calendars = 'calendars: {exclude: [{name: holidays, configMapRef: {name: holidays, key: dates}}]}'
  const path = written('daily.yaml', schedule('daily', `schedules: ["0 8 * * *"], ${calendars}`))
  const alone = await next('-f', path)
  expect(alone.code).toBe(1)
  expect(alone.err).toContain(
    'daily.yaml TaskSchedule/daily: spec.calendars.exclude[0].configMapRef.name: ConfigMap "holidays" is not among',
  )
  const file = written('holidays.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: holidays}\ndata: {dates: "2027-03-28"}\n')
  const both = await next('-f', path, '-f', file, '--count', '1')
  expect(both).toMatchObject({ code: 0, err: '' })
  expect(both.out).toContain('2027-03-29T08:00:00Z')
})

it('a schedule with errors is told, and does not hide the others', async () => {
  const path = written('wrong.yaml', schedule('wrong', 'schedules: ["61 * * * *"]'), often)
  const { code, out, err } = await next('-f', path)
  expect(code).toBe(1)
  expect(err).toMatch(/wrong\.yaml:4:\d+ error TaskSchedule\/wrong spec\.schedules\[0\]: /u)
  expect(out).toContain('TaskSchedule/often: every 60s')
})

it.each<[readonly string[], number, string]>([
  [[], 1, 'no TaskSchedule in FOLDER/configmap.yaml'],
  [
    ['tsch/oftn', '-f', 'FOLDER/two.yaml'],
    1,
    'no tsch/oftn in FOLDER/configmap.yaml, FOLDER/two.yaml; there are: tsch/nightly, tsch/often',
  ],
  [['-f', 'FOLDER/none.yaml'], 1, 'cannot read FOLDER/none.yaml: ENOENT'],
  [
    ['-f', 'FOLDER/two.yaml', '-o', 'svg'],
    2,
    '-o svg draws one schedule, and FOLDER/configmap.yaml, FOLDER/two.yaml has 2: name one, such as tsch/nightly',
  ],
  [['-o', 'png'], 2, '--output png: write svg, or leave it out for a table'],
  [['--takes', 'long'], 2, '--takes long: write a duration such as 45m, 1h or 1d12h'],
  [['--outage', '2027-03-27T12:00:00Z'], 2, '--outage 2027-03-27T12:00:00Z: write two times, the earlier one first, such as'],
  [['--outage', '2027-03-27T12:00:00Z/2027-03-27T11:00:00Z'], 2, 'write two times, the earlier one first'],
  [['wp/x'], 2, '"wp" cannot be used here: write tsch/NAME'],
  [['tsch/x', 'more'], 2, 'unexpected argument "more"'],
])('%j with a file is refused with %i: %s', async (argv, code, message) => {
  written('two.yaml', nightly, often)
  const map = written('configmap.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n')
  const said = await next('-f', map, ...argv.map((each) => each.replace('FOLDER', folder)))
  expect([said.code, said.out]).toEqual([code, ''])
  expect(said.err.replaceAll(folder, 'FOLDER')).toContain(message)
})

it('without a name or a file it says what is missing', async () => {
  expect(await next()).toMatchObject({ code: 2, err: expect.stringContaining('missing name: tsch/NAME, or -f FILE') })
})
