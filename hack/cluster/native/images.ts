/** Images on the node: imported from archives, since there is no registry. */
import { stat } from 'node:fs/promises'
import { run, tryRun } from '../command.ts'
import type { Progress } from '../progress.ts'
import type { Layout } from './layout.ts'
import { readState, writeState } from './state.ts'

export async function loadImage(at: Layout, archive: string, name: string, progress: Progress): Promise<'loaded' | 'unchanged'> {
  const state = await readState(at.state)
  if (state === undefined) throw new Error('the cluster is not up')
  const { mtimeMs, size } = await stat(archive)
  const source = `${archive} ${size} ${mtimeMs}`
  if (state.images[name] === source && (await hasImage(at, name))) return 'unchanged'
  await progress.step(`loading ${name} into the node`, { expectedSeconds: 6 }, () =>
    run('ctr', [...client(at), 'images', 'import', archive]),
  )
  if (!(await hasImage(at, name))) throw new Error(`${archive} does not hold ${name}`)
  await writeState(at.state, { ...state, images: { ...state.images, [name]: source } })
  return 'loaded'
}

async function hasImage(at: Layout, name: string): Promise<boolean> {
  const listed = await tryRun('ctr', [...client(at), 'images', 'ls', '-q', `name==${name}`])
  return listed.stdout.split('\n').includes(name)
}

function client(at: Layout): string[] {
  return ['-a', at.containerdSocket, '-n', 'k8s.io']
}
