/**
 * A Dockerfile without Docker: its steps, done in an empty folder that stands for the image's root. What a folder cannot
 * show is left out: the system below, and whose rights `USER` has.
 * @module
 */
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What was built. */
export interface Image {
  readonly from: string
  readonly user: string
  /** The working folder, as a path of this machine. */
  readonly workdir: string
  /** What is started: the list form of `CMD`. */
  readonly command: readonly string[]
  readonly env: NodeJS.ProcessEnv
}

interface Build {
  /** The folder that is sent to the build, and the names in it that are not. */
  readonly context: string
  readonly ignored: readonly string[]
  /** The folder that stands for `/`. */
  readonly root: string
  image: Image
}

/**
 * Does the steps of a Dockerfile.
 * @param place.env what `RUN` and the command have, as of the image below
 * @throws Error at an instruction, or a form of one, that is not known here
 */
export async function buildImage(
  dockerfile: string,
  place: {
    readonly context: string
    readonly root: string
    readonly dockerignore: string
    readonly env: NodeJS.ProcessEnv
  },
): Promise<Image> {
  const ignored = place.dockerignore.split('\n').filter((line) => line !== '')
  const empty = { from: '', user: 'root', workdir: place.root, command: [], env: place.env }
  const build: Build = { ...place, ignored, image: empty }
  const lines = dockerfile.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  for (const line of lines) {
    const [, instruction = '', rest = ''] = /^([A-Z]+) (.*)$/.exec(line) ?? []
    const step = steps[instruction]
    if (step === undefined) throw new Error(`the Dockerfile has "${line}", which is not known here`)
    build.image = { ...build.image, ...(await step(build, rest)) }
  }
  return build.image
}

type Step = (build: Build, rest: string) => Partial<Image> | Promise<Partial<Image>>

const steps: Readonly<Record<string, Step>> = {
  FROM: (_, from) => ({ from }),
  USER: (_, user) => ({ user }),
  WORKDIR({ root }, path) {
    const workdir = join(root, path)
    mkdirSync(workdir, { recursive: true })
    return { workdir }
  },
  COPY({ context, ignored, image: { workdir } }, rest) {
    const names = rest.split(' ')
    const target = resolve(workdir, names.pop() ?? '')
    for (const name of names) {
      const from = join(context, name)
      // A folder is copied as what it holds, a file into the folder that is named.
      cpSync(from, statSync(from).isDirectory() ? target : join(target, name), {
        recursive: true,
        filter: (path) => !ignored.some((each) => path === join(context, each)),
      })
    }
    return {}
  },
  async RUN({ image: { workdir: cwd, env } }, line) {
    await run('sh', ['-c', line], { cwd, env })
    return {}
  },
  ENV({ image: { env } }, rest) {
    const [name = '', value] = rest.split('=')
    return { env: { ...env, [name]: value } }
  },
  CMD: (_, list) => ({ command: JSON.parse(list) }),
}
