/**
 * Entry point of the runner process: loads the addon, serves one model to the server that forked it, and ends with
 * the server. A crash here takes down one model, never the server.
 */

import { loadModel } from './load-model.js';
import { runChild } from './run.js';

runChild(loadModel);
