#!/usr/bin/env node
/**
 * The command line: `errand <command>`. It knows the words of the commands and no more: what a command does is loaded
 * when it is run, so that help comes at once.
 * @module
 */
import { enableCompileCache } from 'node:module'

// Half of what this process does is to read code; where the cache cannot be written, nothing is lost.
enableCompileCache()
const { runProgram } = await import('./program.ts')
await runProgram(process.argv)
