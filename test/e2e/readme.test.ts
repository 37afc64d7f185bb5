/** The first task of the README on the real node: its manifest as it stands there, but for the image and the namespace. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { clusterEnvironment, type ClusterEnvironment } from '../../hack/cluster-environment.ts'
import { run } from '../../hack/cluster/command.ts'
import { installRelease, release } from '../../hack/release.ts'

const namespace = 'readme-e2e'
const chapter = readFileSync('README.md', 'utf8').split('## First task')[1]?.split('\n## ')[0] ?? ''
const manifest = /```yaml\n(?<text>[\s\S]*?)```/u.exec(chapter)?.groups?.['text'] ?? ''
/** The result that the README promises, as a comment behind the command that prints it. */
const promised = /jsonpath='\{\.status\.result\}'\s+# (?<result>.*)/u.exec(chapter)?.groups?.['result'] ?? ''
let cluster: ClusterEnvironment
const kubectl = (...args: string[]): Promise<string> => run('kubectl', args, { env: cluster.env })
const inNamespace = (...args: string[]): Promise<string> => kubectl('-n', namespace, ...args)

beforeAll(async () => {
  cluster = await clusterEnvironment()
  await installRelease(cluster)
  await kubectl('delete', 'namespace', namespace, '--ignore-not-found')
  await kubectl('create', 'namespace', namespace)
})

afterAll(() => kubectl('delete', 'namespace', namespace, '--ignore-not-found', '--wait=false'))

it('the first task of the README runs and returns what the README says', async () => {
  const input = manifest
    .replace('registry.example.com/acme/taskmill:dev', 'localhost/taskmill:dev')
    .replace('taskmill-redis.taskmill-system:', `taskmill-redis.${release.namespace}:`)
  expect(input).not.toBe(manifest)
  await run('kubectl', ['-n', namespace, 'apply', '-f', '-'], { env: cluster.env, input })
  await inNamespace('wait', '--for=condition=Succeeded', 'tex/hello', '--timeout=120s')
  expect(JSON.parse(await inNamespace('get', 'tex', 'hello', '-o', 'jsonpath={.status.result}'))).toEqual(JSON.parse(promised))
  await inNamespace('get', 'wp', 'hello')
})
