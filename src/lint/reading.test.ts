/** What kubectl reads, lint reads, and nothing that it does not judge is left out of the report. */
import { describe, expect, it } from 'vitest'
import { decodeManifest } from './encoding.ts'
import { broker, pool, said, schedule } from './fixtures.ts'
import { lint } from './lint.ts'
import { type Report, summarizeReport } from './report.ts'

const bad = broker().replace('redis:6379', 'redis')
const refused = 'error TaskBroker/default spec.standalone.address: must be host:port'
const asJson = (name: string) =>
  JSON.stringify({
    apiVersion: 'taskmill.dev/v1alpha1',
    kind: 'TaskBroker',
    metadata: { name },
    spec: { standalone: { address: 'redis' } },
  })

function reportOf(files: Readonly<Record<string, string>>, isNamed = false): Report {
  return lint(
    Object.entries(files).map(([path, text]) => ({ path, text, isNamed })),
    { isComplete: false },
  )
}

/** The findings without the rest of the words that the kind itself has for a bad address. */
const shortly = (files: string | Readonly<Record<string, string>>) =>
  said(files).map((line) => line.replace(/(must be host:port).*/u, '$1'))

describe('an encoding', () => {
  const bytes = {
    'UTF-8': new TextEncoder().encode(bad),
    'UTF-8 with a mark': new TextEncoder().encode(`\uFEFF${bad}`),
    'UTF-16 LE': Buffer.from(`\uFEFF${bad}`, 'utf16le'),
    'UTF-16 BE': Buffer.from(`\uFEFF${bad}`, 'utf16le').swap16(),
  }
  it.each(Object.entries(bytes))('%s is read', (_, content) => {
    const decoded = decodeManifest(content)
    expect(decoded).toEqual({ text: bad })
  })

  const utf32 = (text: string, isLittle: boolean) => {
    const view = new DataView(new ArrayBuffer(text.length * 4))
    for (let at = 0; at < text.length; at++) view.setUint32(at * 4, text.charCodeAt(at), isLittle)
    return new Uint8Array(view.buffer)
  }
  it.each([
    ['UTF-16 without a byte order mark', Buffer.from(bad, 'utf16le')],
    ['UTF-16 without a byte order mark', Buffer.from(bad, 'utf16le').swap16()],
    ['UTF-32', utf32(bad, true)],
    ['UTF-32', utf32(bad, false)],
    ['UTF-32', utf32(`\uFEFF${bad}`, true)],
    ['UTF-32', utf32(`\uFEFF${bad}`, false)],
  ])('%s, which kubectl cannot read, is a finding', (name, content) => {
    const decoded = decodeManifest(content)
    const { findings } = lint([{ path: 'a/b.yaml', ...decoded, isNamed: false }], { isComplete: false })
    expect(findings).toMatchObject([{ line: 1, message: `is ${name}, which kubectl cannot read. Next: save it as UTF-8` }])
  })

  it('that replaces characters is told at the first of them', () => {
    const latin = Buffer.concat([
      Buffer.from(schedule('  everySeconds: 60\n  task: {type: caf')),
      Buffer.from([0xe9]),
      Buffer.from(', queue: q}\n'),
    ])
    const { text } = decodeManifest(latin)
    expect(said(text)).toEqual([
      'a.yaml:6:19 warning has a character that is not UTF-8; it would be stored as \uFFFD. Next: save the file as UTF-8',
    ])
  })
})

describe('a text', () => {
  it.each<[title: string, text: string, at: readonly string[]]>([
    ['with a byte order mark after a line of dashes', `${bad}---\n\uFEFF${bad.replace('name: default', 'name: b')}`, ['4:21', '9:21']],
    ['that starts with dashes behind a mark', `\uFEFF---\n${bad}`, ['5:21']],
    ['with Windows line ends', bad.replaceAll('\n', '\r\n'), ['4:21']],
    ['of JSON documents one a line', `${asJson('a')}\n${asJson('b')}\n`, ['1:105', '2:105']],
    ['of JSON documents without anything between', `${asJson('a')}${asJson('b')}`, ['1:105', '1:229']],
    ['of JSON documents with dashes between', `${asJson('a')}\n---\n${asJson('b')}`, ['1:105', '3:105']],
    ['of JSON that tabs indent', `{\n${asJson('a').slice(1).replaceAll(',"', ',\n\t"')}`, ['5:24']],
    ['of JSON and then YAML', `${asJson('a')}\n---\n${bad}`, ['1:105', '6:21']],
    ['with a Unicode escape in the group', asJson('a').replace('taskmill', '\\u0074askmill'), ['1:110']],
    ['with an anchor on apiVersion', bad.replace('apiVersion: ', 'apiVersion: &v '), ['4:21']],
    [
      'with an alias for apiVersion',
      bad.replace('apiVersion: taskmill.dev/v1alpha1', 'x: &v taskmill.dev/v1alpha1\napiVersion: *v'),
      ['1:1', '5:21'],
    ],
    [
      'with a folded apiVersion and a quoted kind',
      bad.replace(/^.*\n.*\n/u, 'apiVersion: >-\n  taskmill.dev/v1alpha1\n"kind": "TaskBroker"\n'),
      ['5:21'],
    ],
    ['in which a merge key brings the field', bad.replace(/spec:.*\n/u, 'spec: {<<: &s {standalone: {address: redis}}}\n'), ['4:29']],
    ['with a List in a List', `kind: List\napiVersion: v1\nitems:\n- {kind: List, apiVersion: v1, items: [${asJson('a')}]}\n`, ['4:144']],
    ['with the list of a kind', `kind: TaskBrokerList\napiVersion: taskmill.dev/v1alpha1\nitems: [${asJson('a')}]\n`, ['3:113']],
  ])('%s is judged', (_, text, at) => {
    const places = said(text).map((line) => /^a\.yaml:(\d+:\d+) /u.exec(line)?.[1])
    expect(places).toEqual(at)
  })

  it('may use an anchor hundreds of times', () => {
    const payload = `base: &b x, all: [${'*b, '.repeat(300)}]`
    expect(said(schedule(`  everySeconds: 60\n  task: {type: t, queue: q, payload: {${payload}}}\n`))).toEqual([])
  })

  it.each<[title: string, text: string, finding: string]>([
    [
      'an alias without an anchor',
      bad.replace('{name: default}', '{name: *nobody}'),
      'a.yaml:3:18 error is not YAML: *nobody stands for nothing, because no anchor &nobody is before it',
    ],
    [
      'an alias of what it is in',
      bad.replace('{name: default}', '&m {name: *m}'),
      'a.yaml:3:21 error is not YAML: *m stands for a value that contains it',
    ],
    [
      'aliases that stand for billions of values',
      schedule(
        `  x0: &a0 [a, a, a, a, a, a, a, a, a, a]\n${[1, 2, 3, 4, 5, 6, 7].map((n) => `  x${n}: &a${n} [${`*a${n - 1}, `.repeat(10)}]\n`).join('')}`,
      ),
      'has more than 1,000,000 values once its aliases are filled in',
    ],
    [
      'a control character',
      bad.replace('redis', 're\u0001dis'),
      'a.yaml:4:33 error is not YAML: it has the control character U+0001; remove it, or write it as an escape',
    ],
    [
      'content behind a line of dashes',
      `--- {a: b}\n${bad}`,
      'a.yaml:1:1 error is not YAML: has "{a: b}" behind a line of dashes; start a new line for it',
    ],
    [
      'a document that ends the YAML way',
      `${broker()}...\n${pool('q')}`,
      'a.yaml:6:1 error kubectl does not read this document. Next: put a line of three dashes before it',
    ],
    [
      'a list of objects',
      `- ${asJson('a')}\n`,
      'a.yaml:1:1 error is no object; kubectl reads one object per document. Next: write objects below each other with lines of three dashes between them',
    ],
    [
      'an array in JSON',
      `[${asJson('a')}]`,
      'a.yaml:1:1 error is no object; kubectl reads one object per document. Next: write objects below each other with lines of three dashes between them',
    ],
    [
      'a directive',
      `%YAML 1.2\n---\n${broker()}`,
      'a.yaml:1:1 error is not YAML: %YAML is a directive, which kubectl does not read; remove it',
    ],
    [
      'a name that is a list',
      bad.replace('{name: default}', '{? [a] : b}'),
      'a.yaml:3:11 error is not YAML: the name of a field must be a text',
    ],
    [
      'a value that is no JSON',
      bad.replace('"redis"', '.inf'),
      'a.yaml:4:30 error is not YAML: .inf is not a number that JSON has; leave it out, or write text in quotes',
    ],
    ['a reserved character', bad.replace('"redis"', '@daily'), 'plain value cannot start with reserved character @; put it in quotes'],
    [
      'lists that nest too deep',
      bad.replace('"redis"', `${'['.repeat(20_000)}${']'.repeat(20_000)}`),
      'is not YAML: lists and maps nest too deep',
    ],
  ])('with %s has one finding', (_, text, finding) => {
    expect(said(text)).toEqual([expect.stringContaining(finding)])
  })
})

describe('one text does not decide about another', () => {
  it('in one file', () => {
    expect(shortly(`a: *nobody\nkind: TaskBroker\n---\n${bad}`)).toEqual([
      'a.yaml:1:4 error is not YAML: *nobody stands for nothing, because no anchor &nobody is before it',
      `a.yaml:7:21 ${refused}`,
    ])
  })

  it('in several files', () => {
    expect(shortly({ 'x/1.yaml': bad.replace('{name: default}', '{name: *x}'), 'x/2.yaml': bad })).toEqual([
      'x/1.yaml:3:18 error is not YAML: *x stands for nothing, because no anchor &x is before it',
      `x/2.yaml:4:21 ${refused}`,
    ])
  })

  it('with separators of Windows, too', () => {
    const kustomization = { 'k\\kustomization.yaml': 'namespace: acme\nresources: [broker.yaml]\n', 'k\\broker.yaml': broker() }
    const other = { 'k\\sub\\pool.yaml': pool('files', ', namespace: acme'), 'k\\sub\\broker.yaml': broker('default', ', namespace: acme') }
    expect(said({ ...kustomization, ...other })).toEqual([])
    expect(said({ 'k\\1.yaml': broker(), 'k\\2.yaml': broker(), 'l\\3.yaml': broker() })).toHaveLength(1)
  })
})

describe('an unrendered template', () => {
  const words = 'is a template; only its rendered output can be checked. Next: helm template CHART | taskmill lint -'
  it('with quotes around the braces is one finding where the value must not be such a text', () => {
    const text = pool('files').replace('{name: files}', '{name: "{{ .Release.Name }}-files"}').replace('worker', '"{{ .Values.w }}"')
    expect(said(text)).toEqual([`a.yaml:3:12 error WorkerPool/{{ .Release.Name }}-files metadata.name: ${words}`])
    expect(said({ 'x/a.yaml': text })).toEqual([
      expect.stringContaining(`warning WorkerPool/{{ .Release.Name }}-files metadata.name: ${words}`),
    ])
  })

  it('is not what a mistake beside quoted braces makes of a manifest', () => {
    expect(said(schedule('  everySeconds: 60\n  task: {type: "{{ t }}", queue: q, payload: {x: [}}\n'))).toEqual([
      expect.stringMatching(/^a\.yaml:6:\d+ error is not YAML/u),
    ])
  })
})

describe('what is not judged', () => {
  const files = {
    'x/app.yaml': `kind: Deployment\napiVersion: apps/v1\n---\nkind: Deployment\napiVersion: apps/v1\n---\nkind: Secret\napiVersion: v1\n---\n${broker()}`,
    'x/values.yaml': 'taskmill: {replicas: 2}\n',
    'x/list.yaml': '- taskmill\n- other\n',
    'x/chart.yaml': 'name: {{ .Values.taskmill }}\n',
    'x/broken.yaml': 'taskmill: [\n',
    'x/patch.yaml': 'kind: WorkerPool\n',
    'x/kustomization.yaml': 'patches: [{path: patch.yaml}]\n',
  }

  it('is named with its place', () => {
    expect(reportOf(files)).toMatchObject({
      manifests: 1,
      findings: [],
      unjudged: [
        { reason: 'OtherKind', path: 'x/app.yaml', line: 1, kind: 'Deployment' },
        { reason: 'OtherKind', path: 'x/app.yaml', line: 4, kind: 'Deployment' },
        { reason: 'OtherKind', path: 'x/app.yaml', line: 7, kind: 'Secret' },
        { reason: 'Unreadable', path: 'x/broken.yaml', line: 2 },
        { reason: 'Template', path: 'x/chart.yaml', line: 1 },
        { reason: 'OtherKind', path: 'x/kustomization.yaml', line: 1 },
        { reason: 'NoObject', path: 'x/list.yaml', line: 1 },
        { reason: 'Patch', path: 'x/patch.yaml' },
        { reason: 'OtherKind', path: 'x/values.yaml', line: 1 },
      ],
    })
  })

  it('is counted in the summary', () => {
    expect(summarizeReport(reportOf(files))).toBe(
      '1 manifest in 6 files: 0 errors, 0 warnings. Not judged: 5 documents of other kinds: 2 Deployment, Secret, x/kustomization.yaml, x/values.yaml; ' +
        '1 document that is no object: x/list.yaml; 1 document that kubectl cannot read: x/broken.yaml; 1 template: x/chart.yaml; ' +
        '1 patch of kustomize (to check the result: kubectl kustomize FOLDER | taskmill lint -): x/patch.yaml\n',
    )
  })
})
