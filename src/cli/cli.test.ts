import { expect, it } from 'vitest'
import { fakeClock } from '../clock/index.ts'
import { parseDuration, formatDuration } from './arguments.ts'
import { commandNames, runCommand, type CommandDeps } from './index.ts'
import { parseParameters } from './run.ts'
import { parseReference } from './reference.ts'

it.each([
  ['45m', 2_700_000, '45m'],
  ['1h', 3_600_000, '1h'],
  ['90m', 5_400_000, '1h30m'],
  ['1d12h', 129_600_000, '1d12h'],
  ['30s', 30_000, '30s'],
  ['1d0h0m1s', 86_401_000, '1d1s'],
])('%s is %i ms, and is said as %s', (text, ms, words) => {
  expect([parseDuration(text), formatDuration(ms)]).toEqual([ms, words])
})

it.each(['', '0s', '1', 'h', '1w', '1.5h', '-1h', '1h ', '1 h', '9999999h'])('%j is no duration', (text) => {
  expect(parseDuration(text)).toBeUndefined()
})

it.each(['wp/email', 'workerpool/email', 'workerpools/email', 'WorkerPool/email'])('%s is a pool', (text) => {
  expect(parseReference(text, ['TaskSchedule', 'WorkerPool'])).toEqual({ kind: 'WorkerPool', name: 'email', shown: 'wp/email' })
})

it('a parameter is JSON where it can be, and text otherwise', () => {
  const params = ['days=7', 'who=all', 'dry=true', 'id="007"', 'zip=01234', 'list=[1,"a"]', 'empty=', 'query=a=b']
  expect(parseParameters(params)).toEqual({
    days: 7,
    who: 'all',
    dry: true,
    id: '007',
    zip: '01234',
    list: [1, 'a'],
    empty: '',
    query: 'a=b',
  })
})

/** What a command says that never gets as far as a cluster. */
async function said(name: string, ...argv: string[]) {
  let [out, err] = ['', '']
  const deps: CommandDeps = {
    connect: () => Promise.reject(new Error('no cluster here')),
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    clock: fakeClock(),
    readText: () => Promise.reject(new Error('no file here')),
    readSchedules: () => Promise.reject(new Error('no manifests here')),
    stop: new AbortController().signal,
    program: 'kubectl taskmill',
  }
  return { code: await runCommand(name, argv, deps), out, err }
}

it.each<[readonly string[], string]>([
  [['scale'], 'missing name: wp/NAME'],
  [['scale', 'email', '5', '--for', '1h'], '"email" is not an object: write wp/NAME'],
  [['scale', 'tsch/x', '5', '--for', '1h'], '"tsch" cannot be used here: write wp/NAME'],
  [['scale', 'wp/x', '--for', '1h'], 'missing number of replicas, 0 to 10000: scale wp/x 5 --for 1h'],
  [['scale', 'wp/x', '10001', '--for', '1h'], 'missing number of replicas, 0 to 10000: scale wp/x 5 --for 1h'],
  [['scale', 'wp/x', '5'], 'missing --for DURATION, such as --for 1h: every override ends by itself'],
  [['suspend', 'wp/x', '--for', 'long'], '--for long: write a duration such as 45m, 1h or 1d12h'],
  [
    ['suspend', 'wp/x', '--for', '1h', '--because', 'two', 'words'],
    'unexpected argument "words"; put a reason in quotes: --because "two words"',
  ],
  [['suspend', 'wp/x', '--fur', '1h'], 'unknown option --fur; did you mean "--for"?'],
  [['suspend', 'wp/x', '--wait'], 'unknown option --wait'],
  [['suspend', 'wp/x', '--for'], "Option '--for <value>' argument missing"],
  [['suspend', 'wq/x', '--for', '1h'], '"wq" cannot be used here; did you mean "wp"? Write wp/NAME or tsch/NAME or tq/NAME'],
  [['run', 'wp/x'], '"wp" cannot be used here: write tsch/NAME or tdep/NAME'],
  [['run', 'tdep/x', '--payload', '{}'], 'a graph has parameters, not a payload: write --param KEY=VALUE'],
  [['run', 'tsch/x', '--param', 'a=1'], '--param is for graphs (tdep/NAME); use --payload to change the payload of a schedule'],
  [['run', 'tsch/x', '--payload', '[1]'], '--payload must be a JSON object, such as {"retainDays": 1}'],
  [['run', 'tsch/x', '--payload', '{"a":'], '--payload is not JSON: Unexpected end of JSON input'],
  [
    ['run', 'tsch/x', '--payload', '{"user":{"id":1175930294816452671}}'],
    '--payload: user.id: 1175930294816452671 would arrive as 1175930294816452600, because numbers keep about 16 digits; write it as text, in quotes: "1175930294816452671"',
  ],
  [['run', 'tdep/x', '--param', 'ids=[1,1e400]'], '--param ids[1]: 1e400 is too large for a number; write it as text, in quotes: "1e400"'],
  [
    ['run', 'tdep/x', '--param', 'pi=3.14159265358979323846'],
    `--param pi=3.14159265358979323846 has more digits than a JSON number can keep. As text: --param 'pi="3.14159265358979323846"'`,
  ],
  [['run', 'tdep/x', '--param', 'days'], '--param days: write KEY=VALUE, such as days=7'],
  [['run', 'tdep/x', '--param', 'a=1', '--param', 'a=2'], '--param a is given twice'],
  [
    ['run', 'tdep/x', '--param', 'id=12345678901234567890'],
    `--param id=12345678901234567890 has more digits than a JSON number can keep. As text: --param 'id="12345678901234567890"'`,
  ],
  [['run', 'tsch/x', '--slot-time', 'tomorrow'], '--slot-time tomorrow: write a time such as 2026-11-29T01:00:00Z'],
  [['run', 'tsch/x', '--slot-time', '2026-13-29T01:00:00Z'], '--slot-time 2026-13-29T01:00:00Z: write a time such as 2026-11-29T01:00:00Z'],
  [['run', 'tsch/x', '--ttl', '1y'], '--ttl 1y: write a duration such as 1h or 7d, at most 366d, or never'],
  [['run', 'tsch/x', 'now'], 'unexpected argument "now"'],
  [['run', 'send'], '"send": to run a task of this type, add --queue QUEUE; to run an object, write tsch/send or tdep/send'],
  [['run', '--queue', 'mail'], 'missing type of the task: run TYPE --queue QUEUE'],
  [['run', 'tsch/x', '--broker', 'b'], '--broker goes with TYPE --queue QUEUE only: a schedule or a graph runs on its own TaskBroker'],
  [['run', 'send', '--queue', 'mail', '--param', 'a=1'], '--param is for graphs (tdep/NAME); a task has a payload: write --payload'],
  [['run', 'tsch/x', '--at', 'tomorrow'], '--at tomorrow: write a time such as 2026-11-29T01:00:00Z'],
  [['run', 'tsch/x', '--delay', 'soon'], '--delay soon: write a duration such as 10m or 1d12h, at most 366d'],
  [['run', 'tsch/x', '--delay', '367d'], '--delay 367d: write a duration such as 10m or 1d12h, at most 366d'],
  [
    ['run', 'tsch/x', '--delay', '1h', '--at', '2026-11-29T01:00:00Z'],
    '--delay and --at both say when the run starts: leave one of them out',
  ],
  [['backfill', 'tdep/x'], '"tdep" cannot be used here: write tsch/NAME'],
  [['backfill', 'tsch/x'], 'missing --from TIME, such as --from 2026-11-01T00:00:00Z'],
  [['backfill', 'tsch/x', '--from', '2026-11-01T00:00:00Z'], 'missing --to TIME, such as --to 2026-11-01T00:00:00Z'],
  [['backfill', 'tsch/x', '--from', 'monday', '--to', 'x'], '--from monday: write a time such as 2026-11-01T00:00:00Z'],
  [['backfill', 'tsch/x', '--order', 'random'], '--order random: write oldest or newest'],
  [
    ['backfill', 'tsch/x', '--from', '2026-11-01T00:00:00Z', '--to', '2026-11-02T00:00:00Z', '--parallelism', '0'],
    '--parallelism 0: write a number from 1 to 100',
  ],
  [
    ['backfill', 'tsch/x', '--from', '2026-11-01T00:00:00Z', '--to', '2026-11-02T00:00:00Z', '--max-runs', '501'],
    '--max-runs 501: write a number from 1 to 500',
  ],
  [['next', 'tdep/x'], '"tdep" cannot be used here: write tsch/NAME'],
  [['next', 'tsch/x', '--count', '0'], '--count 0: write a number from 1 to 1000'],
  [['next', 'tsch/x', '--count', 'all'], '--count all: write a number from 1 to 1000'],
  [
    ['backfill', 'tsch/x', '--from', '0001-01-01T00:00:00Z', '--to', 'x'],
    '--from 0001-01-01T00:00:00Z: no slot is before 1970; write a time such as 2026-11-01T00:00:00Z',
  ],
  [['next', 'tsch/x', '--after', 'today'], '--after today: write a time such as 2026-03-28T00:00:00Z'],
  [['ack', 'wp/x', '--for', '1h'], '"wp" cannot be used here: write tal/NAME'],
  [['silence', 'tal/x'], 'missing --for DURATION, such as --for 1h: every override ends by itself'],
  [['unack', 'tal/x', '--for', '1h'], 'unknown option --for'],
  [['cancel', 'tsch/x'], '"tsch" cannot be used here: write tex/NAME'],
  [['resume', 'wp/x', '--for', '1h'], 'only an override suspends a pool, so a pool cannot be resumed for a while: leave --for out'],
])('%j is called wrongly, and says what to write', async ([name = '', ...argv], message) => {
  expect(await said(name, ...argv)).toEqual({
    code: 2,
    out: '',
    err: `kubectl taskmill ${name}: ${message}\nTry: kubectl taskmill ${name} --help\n`,
  })
})

it.each(commandNames)('%s explains itself', async (name) => {
  const { code, out } = await said(name, '--help')
  expect(code).toBe(0)
  expect(out).toMatch(new RegExp(`^kubectl taskmill ${name} \\S`, 'u'))
  for (const option of ['--namespace', '--context', '--kubeconfig']) expect(out).toContain(option)
  const [usage = '', ...rest] = out.split('\n')
  for (const [option] of usage.matchAll(/--[a-z-]+/gu)) expect(rest.some((line) => line.trim().startsWith(option))).toBe(true)
})

it('a command that there is not, but almost', async () => {
  expect((await said('suspnd')).err).toContain('unknown command "suspnd"; did you mean "suspend"?')
})

it('says what keeps it from the cluster', async () => {
  expect(await said('suspend', 'wp/x', '--for', '1h')).toEqual({ code: 1, out: '', err: 'kubectl taskmill suspend: no cluster here\n' })
})
