/** The image of the pause program as an OCI archive, put together here: one layer with one file. */
import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { cached, cacheFolder } from '../cache.ts'
import { run } from '../command.ts'
import type { Progress } from '../progress.ts'
import { pauseImage } from './configuration.ts'

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }

export async function pauseArchive(program: string, progress: Progress): Promise<string> {
  const archive = join(cacheFolder(), 'images', `${basename(dirname(program))}.oci.tar`)
  return cached(archive, (temporary) => progress.step(`building ${pauseImage}`, {}, () => build(program, temporary)))
}

async function build(program: string, archive: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'taskmill-pause-'))
  try {
    const blobs = join(folder, 'blobs', 'sha256')
    await mkdir(blobs, { recursive: true })
    const layerFile = join(folder, 'layer.tar')
    await cp(program, join(folder, 'pause'))
    await run('tar', ['--create', '--file', layerFile, '--owner=0', '--group=0', '--mode=0755', '--directory', folder, 'pause'])
    await rm(join(folder, 'pause'))

    const layer = await describe(layerFile, 'application/vnd.oci.image.layer.v1.tar')
    await rename(layerFile, join(blobs, layer.digest.slice('sha256:'.length)))
    const put = async (mediaType: string, content: object): Promise<Descriptor> => {
      const file = join(folder, 'blob')
      await writeFile(file, JSON.stringify(content))
      const descriptor = await describe(file, mediaType)
      await rename(file, join(blobs, descriptor.digest.slice('sha256:'.length)))
      return descriptor
    }
    const config = await put('application/vnd.oci.image.config.v1+json', {
      architecture: architectures[process.arch] ?? process.arch,
      os: 'linux',
      config: { Entrypoint: ['/pause'], User: '65535:65535' },
      rootfs: { type: 'layers', diff_ids: [layer.digest] },
    })
    const manifestType = 'application/vnd.oci.image.manifest.v1+json'
    const manifest = await put(manifestType, { schemaVersion: 2, mediaType: manifestType, config, layers: [layer] })
    const named = { ...manifest, annotations: { 'io.containerd.image.name': pauseImage } }
    await writeFile(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [named] }))
    await writeFile(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
    await run('tar', ['--create', '--file', archive, '--directory', folder, 'oci-layout', 'index.json', 'blobs'])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

type Descriptor = { readonly mediaType: string; readonly digest: string; readonly size: number }

async function describe(file: string, mediaType: string): Promise<Descriptor> {
  const content = await readFile(file)
  return { mediaType, digest: `sha256:${createHash('sha256').update(content).digest('hex')}`, size: content.length }
}
