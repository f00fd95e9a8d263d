# SPDX-License-Identifier: Apache-2.0
# Register and start containerd from a folder of programs, and put the folder on PATH for later steps.
param([Parameter(Mandatory)] [string] $Bin, [Parameter(Mandatory)] [string] $Log)
$ErrorActionPreference = "Stop"
if ($env:GITHUB_PATH) { $Bin >> $env:GITHUB_PATH }
$env:PATH = "$Bin;$env:PATH"
& "$Bin\containerd.exe" --register-service --log-file $Log
if ($LASTEXITCODE) { exit $LASTEXITCODE }
Start-Service containerd
Get-Service containerd
